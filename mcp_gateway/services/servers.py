"""Running upstreams: opened, discovered again and again while they are away, and closed."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from mcp_gateway.config import Server
from mcp_gateway.core import ports
from mcp_gateway.core.credential import Credential, CredentialRefused, Grant
from mcp_gateway.core.errors import Refusal, UpstreamFailed
from mcp_gateway.core.target import Definition
from mcp_gateway.services.review import Review, Reviewed

DISCOVERY_BOUND = 30.0
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
SPACING = 1.0
"""Seconds between two discoveries, however often one is asked for."""


@dataclass(slots=True)
class Running:
    """One upstream as it is now. `trouble` says in words why nothing of it is served.

    `detail` is what it said itself when it failed, for administrators alone.
    """

    name: str
    config: Server
    connector: ports.Connector
    credential: Callable[[], Credential]
    listed: Sequence[Definition] = ()
    reviewed: Reviewed = field(default_factory=Reviewed)
    trouble: str = "it has not answered yet"
    detail: str = ""
    wanted: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def grant(self) -> Grant:
        section = self.config.grant
        return Grant(section.kind, section.header, section.prefix)


class Discovery:
    """Keeps one upstream's list up to date. One task each, so a slow one delays nobody."""

    def __init__(self, review: Review, changed: Callable[[], None]) -> None:
        self._review = review
        self._changed = changed

    async def follow(self, running: Running) -> None:
        """Discovers until cancelled: again when asked, and with growing pauses after a failure."""
        pause = FIRST_PAUSE
        while True:
            running.wanted.clear()
            if await self._once(running):
                pause = FIRST_PAUSE
                await asyncio.sleep(SPACING)
                await running.wanted.wait()
                continue
            running.wanted.clear()  # the failure itself is no reason to look again at once
            await asyncio.sleep(FIRST_PAUSE)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause - FIRST_PAUSE):
                    await running.wanted.wait()
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _once(self, running: Running) -> bool:
        before = (running.trouble, running.reviewed)
        running.detail = ""
        try:
            async with asyncio.timeout(DISCOVERY_BOUND):
                running.listed = await running.connector.discover(running.credential())
        except TimeoutError:
            running.trouble = f"it did not list its tools within {DISCOVERY_BOUND:g} s"
        except CredentialRefused:
            running.trouble = "it refuses the gateway's credential"
        except (Refusal, OSError, ValueError) as failure:
            running.trouble = str(failure)
            running.detail = failure.detail if isinstance(failure, UpstreamFailed) else ""
        else:
            running.trouble = ""
            running.reviewed = await asyncio.to_thread(
                self._review.of, running.name, running.listed, running.config.trust
            )
        if (running.trouble, running.reviewed) != before:
            self._changed()
        return not running.trouble
