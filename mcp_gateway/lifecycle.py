"""The life of a gateway: its jobs, new configurations, and its end."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from mcp_gateway import app
from mcp_gateway.config import ConfigError, Settings
from mcp_gateway.core.entry import Entry
from mcp_gateway.core.errors import Refusal
from mcp_gateway.parts import Parts
from mcp_gateway.services import changes, sources
from mcp_gateway.services.snapshots import Prepared
from mcp_gateway.telemetry import logs
from mcp_gateway.telemetry.redaction import redacted

log = logging.getLogger(__name__)
MINUTE: Final = 60.0
LONGEST_REASON: Final = 2000


def begin(parts: Parts) -> None:
    """Starts what goes on beside the calls, until the gateway is closed."""
    parts.jobs.start("revocations", parts.keyring.follow)
    parts.jobs.start("questions", parts.parking.expire)
    parts.jobs.start("changed lists", parts.listens.follow)
    parts.jobs.start("open streams", parts.standing.follow)
    parts.jobs.start("checkpoints", lambda: _checkpoints(parts))
    parts.jobs.start("failed authentication", lambda: _failures(parts))
    for name, job in parts.wired.jobs.items():
        parts.jobs.start(name, job)


class Configurations:
    """Takes one configuration after the other: whole, or not at all, and never unseen."""

    def __init__(
        self,
        parts: Parts,
        path: Path,
        seen: sources.Contents,
        renew: Callable[[], None] = lambda: None,
    ) -> None:
        """`seen` is what the files held when the configuration in force was read.

        `renew` reads what belongs to the listening server again, or raises ConfigError.
        """
        self._parts = parts
        self._renew = renew
        self._hangup = asyncio.Event()
        self._path = path
        self._read = parts.settings
        self._seen = seen
        self._taking = asyncio.Lock()

    def hang_up(self) -> None:
        """Asks for `reload`, from a signal handler."""
        self._hangup.set()

    async def on_hangup(self) -> None:
        while True:
            await self._hangup.wait()
            self._hangup.clear()
            await self.reload()

    async def follow(self) -> None:
        """Reads the file again whenever it, or a file that it names, has changed."""
        async with contextlib.aclosing(sources.hints(self._files)) as hints:
            async for _ in hints:
                if await asyncio.to_thread(sources.contents, self._files()) != self._seen:
                    await self.reload()

    async def reload(self) -> None:
        """Reads the file again, and with it the secrets that it refers to."""
        async with self._taking:
            self._seen = await asyncio.to_thread(sources.contents, self._files())
            try:
                self._read, self._seen = await asyncio.to_thread(sources.read, self._path)
            except ConfigError as error:
                await self._refuse(str(error))
            else:
                await self._take(self._read)

    def _files(self) -> frozenset[Path]:
        return sources.files_of(self._path, self._read)

    async def take(self, settings: Settings) -> None:
        """Puts a configuration in force; a bad one is refused with its reasons."""
        async with self._taking:
            await self._take(settings)

    async def _take(self, settings: Settings) -> None:
        parts = self._parts
        try:
            live = changes.live(parts.settings, settings)
            self._renew()
            prepared = await parts.snapshots.prepare(live, parts.base)
        except ConfigError as error:
            await self._refuse(str(error))
            return
        try:
            await parts.log.append(
                Entry("configuration.applied", body=self._said(settings, prepared))
            )
        except Refusal as refusal:  # unrecorded, it is not done
            await prepared.discard()
            parts.rejected = refusal.reason
            log.warning("the new configuration cannot be recorded: %s", refusal)
            return
        self._install(settings, prepared)

    def _install(self, settings: Settings, prepared: Prepared) -> None:
        parts = self._parts
        changed = changes.between(parts.settings, prepared.settings)
        app.install(parts, prepared)
        logs.set_level(prepared.settings.telemetry.log_level)
        parts.rejected = ""
        parts.waiting = ", ".join(changes.waiting(prepared.settings, settings))
        log.info("a new configuration is in force", extra={"changed": changed})
        if parts.waiting:
            log.warning("these settings take effect at the next start: %s", parts.waiting)

    def _digest(self) -> str:
        """Of the file as it was read, so that who keeps it elsewhere can tell which it was."""
        return self._seen.get(self._path, b"").hex()

    def _said(self, settings: Settings, prepared: Prepared) -> dict[str, Any]:
        return {
            "file": self._digest(),
            "policy": prepared.compiled.engine.digest,
            "changed": list(changes.between(self._parts.settings, prepared.settings)),
            "waiting": list(changes.waiting(prepared.settings, settings)),
        }

    async def _refuse(self, reason: str) -> None:
        """Said in the log, the ledger and readiness, without a secret that stands in it."""
        self._parts.rejected = reason = redacted(reason)
        log.warning("the new configuration is refused, the old one stays: %s", reason)
        try:
            body = {"file": self._digest(), "reason": reason[:LONGEST_REASON]}
            await self._parts.log.append(Entry("configuration.refused", body=body))
        except Refusal as refusal:
            log.warning("the refusal cannot be recorded: %s", refusal)


async def _checkpoints(parts: Parts) -> None:
    while True:
        await asyncio.sleep(parts.settings.ledger.checkpoint_every)
        await asyncio.to_thread(parts.log.checkpoint)


async def _failures(parts: Parts) -> None:
    """Failed authentication, in sum, once a minute."""
    while True:
        await asyncio.sleep(MINUTE)
        await record_failures(parts)


async def record_failures(parts: Parts) -> None:
    """One entry for all that failed since the last one; none when nothing did."""
    failures = parts.authenticator.failures
    if count := failures.take():
        try:
            await parts.log.append(Entry("authentication.failed", body={"count": count}))
        except Refusal as refusal:
            failures.put_back(count)
            log.warning("%d failed attempts could not be recorded yet: %s", count, refusal)
