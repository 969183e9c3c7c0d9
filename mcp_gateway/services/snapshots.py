"""Snapshots: built from the configuration and the store, checked, and swapped whole."""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import policies
from connectors import CONNECTORS, Services
from mcp_gateway.config import ConfigError, Server, Settings
from mcp_gateway.core import ports
from mcp_gateway.core.credential import NONE, Credential
from mcp_gateway.core.snapshot import GATEWAY, Current, Snapshot, Upstream
from mcp_gateway.core.target import Definition
from mcp_gateway.services import catalog
from mcp_gateway.services.review import Review
from mcp_gateway.services.servers import Discovery, Running
from mcp_gateway.wire import jsonrpc
from policies import suites

log = logging.getLogger(__name__)
BUILT_IN_RULES: Final = Path(policies.__file__).parent / "builtin"
BUILT_IN_SUITES: Final = Path(policies.__file__).parent / "suites"


class Snapshots:
    """Owns the running upstreams and the compiled policy. A bad change leaves the old in force."""

    def __init__(
        self,
        current: Current,
        review: Review,
        local: ports.Connector,
        own: Sequence[Definition],
        services: Services,
        profiles: Sequence[str],
    ) -> None:
        self._current = current
        self._review = review
        self._local = local
        self._own = own
        self._services = replace(services, changed=self.rediscover)
        self._profiles = frozenset(profiles)
        self._running: dict[str, Running] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._engine: policies.Engine | None = None
        self._settings = Settings()
        self._generation = 0
        self.held: Mapping[str, str] = {}

    @property
    def running(self) -> Mapping[str, Running]:
        return self._running

    async def apply(self, settings: Settings, base: Path) -> None:
        """Puts a configuration in force. Raises ConfigError or PolicyError, changing nothing."""
        engine = await asyncio.to_thread(compile_policy, settings, base)
        opened = await self._open(settings)
        for name in set(self._running) - set(settings.servers) | set(opened):
            await self._close(name)
        self._settings, self._engine = settings, engine
        for name, running in opened.items():
            self._running[name] = running
        self._swap()
        discovery = Discovery(self._review, self._swap)
        for name, running in opened.items():
            # Owned here: cancelled when the server goes, or when the gateway ends.
            task = asyncio.get_running_loop().create_task(discovery.follow(running))
            self._tasks[name] = task

    async def aclose(self) -> None:
        for name in list(self._running):
            await self._close(name)

    def rediscover(self, name: str) -> None:
        """Asks for a new list of one upstream."""
        if running := self._running.get(name):
            running.wanted.set()

    async def accept(self, server: str, name: str) -> list[str]:
        """Takes what is held back of a server as reviewed, and returns the names."""
        running = self._running.get(server)
        if running is None:
            return []
        served = {(d.kind, d.name) for d in running.reviewed.served}
        chosen = [
            d
            for d in running.listed
            if (d.kind, d.name) not in served and not d.flaw and name in ("", d.name)
        ]
        if chosen:
            await asyncio.to_thread(self._review.accept, chosen)
            self.rediscover(server)
        return [f"{d.kind}/{server}/{d.name}" for d in chosen]

    async def _open(self, settings: Settings) -> dict[str, Running]:
        """The servers that are new or changed, with connectors of their own."""
        opened: dict[str, Running] = {}
        for name, config in settings.servers.items():
            known = self._running.get(name)
            if known and known.config == config:
                continue
            opened[name] = await self._opened(name, config)
        return opened

    async def _opened(self, name: str, config: Server) -> Running:
        kind = CONNECTORS.get(config.connector)
        if kind is None:
            known = ", ".join(sorted(CONNECTORS))
            raise ConfigError(f"servers.{name}: no connector {config.connector!r}; known: {known}")
        if config.guard not in self._profiles:
            raise ConfigError(f"servers.{name}: no guard profile is called {config.guard!r}")
        try:
            own = kind.Config.model_validate(config.own())
            connector = await kind.open(name, own, self._services)
        except (ValueError, OSError) as error:
            raise ConfigError(f"servers.{name}: {error}") from None
        return Running(name, config, connector, credential_of(name, config))

    async def _close(self, name: str) -> None:
        if task := self._tasks.pop(name, None):
            task.cancel()
        if running := self._running.pop(name, None):
            await running.connector.aclose()

    def _swap(self) -> None:
        """Builds the snapshot of this moment: pure but for the one assignment at its end."""
        if self._engine is None:
            return
        self._generation += 1
        servers = self._settings.servers
        served = [d for r in self._running.values() if not r.trouble for d in r.reviewed.served]
        requires = {name: server.requires for name, server in servers.items()}
        built = catalog.build([*self._own, *served], requires)
        held = dict(built.held)
        for running in self._running.values():
            held.update(running.reviewed.held)
        self.held = held
        upstreams = {name: _upstream(running) for name, running in self._running.items()}
        upstreams[GATEWAY] = Upstream(GATEWAY, self._local, guard="none")
        self._current.swap(
            Snapshot(
                tenant=self._settings.gateway.tenant,
                generation=self._generation,
                digest=_digest(self._engine.digest, built.definitions, self._settings),
                upstreams=upstreams,
                catalog=built.names,
                local=built.local,
                definitions=built.definitions,
                policy=self._engine,
                held=held,
            )
        )


def compile_policy(settings: Settings, base: Path) -> policies.Engine:
    """The compiled rules, their suites passed. Raises PolicyError, ConfigError."""
    rules = [_file(text, BUILT_IN_RULES, ".csv", base) for text in settings.policy.rules]
    engine = policies.load(rules, settings.identity.aliases)
    files = [_file(text, BUILT_IN_SUITES, ".toml", base) for text in settings.policy.suites]
    if failures := suites.run(engine, files):
        raise ConfigError("; ".join(f"{failure.where}: {failure.said}" for failure in failures))
    for warning in engine.warnings:
        log.warning("policy: %s", warning)
    return engine


def credential_of(name: str, config: Server) -> Callable[[], Credential]:
    """What discovery shows the upstream."""

    def read() -> Credential:
        secret = config.grant.secret
        if secret is None:
            return NONE
        header = (config.grant.header, config.grant.prefix + secret.read())
        return Credential(f"static:{name}", (header,))

    return read


def _file(text: str, built_in: Path, suffix: str, base: Path) -> Path:
    if text.startswith("builtin:"):
        return built_in / (text.removeprefix("builtin:") + suffix)
    return base / text


def _upstream(running: Running) -> Upstream:
    return Upstream(
        running.name,
        running.connector,
        running.grant,
        running.config.guard,
        trouble=running.trouble,
    )


def _digest(policy: str, definitions: Mapping[str, Definition], settings: Settings) -> str:
    servers = {name: server.model_dump(mode="json") for name, server in settings.servers.items()}
    content = [policy, sorted(definitions), servers]
    return hashlib.sha256(jsonrpc.canonical(content)).hexdigest()[:16]
