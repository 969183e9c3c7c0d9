"""Snapshots: prepared from a configuration and the store, checked, and swapped whole."""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import policies
from connectors import CONNECTORS, Services
from mcp_gateway.config import ConfigError, Server, Settings
from mcp_gateway.core import ports
from mcp_gateway.core.call import Call
from mcp_gateway.core.credential import NONE, Credential
from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.core.snapshot import GATEWAY, Chains, Current, Snapshot, Upstream
from mcp_gateway.core.target import Definition
from mcp_gateway.core.views import NO_VIEWS, Views
from mcp_gateway.limits.memory import MemoryLimiter
from mcp_gateway.services import catalog, own
from mcp_gateway.services.attendance import Attendance
from mcp_gateway.services.compiled import Compiled, compiled
from mcp_gateway.services.differences import Difference, between
from mcp_gateway.services.lease import Leased
from mcp_gateway.services.review import Review, Reviewed
from mcp_gateway.services.servers import Discovery, Running, Shows
from mcp_gateway.wire import jsonrpc

log = logging.getLogger(__name__)
GRACE: Final = 60.0
"""Seconds that calls on a server get which a new configuration changes or takes away."""


@dataclass(frozen=True, slots=True)
class _Force:
    """What every snapshot of one configuration has in common."""

    settings: Settings
    engine: policies.Engine
    chains: Chains
    local: ports.Connector


@dataclass(frozen=True, slots=True)
class Prepared:
    """A configuration of which everything that can fail has been done, and nothing is in force."""

    settings: Settings
    compiled: Compiled
    limiter: MemoryLimiter
    opened: Mapping[str, Leased]
    approved: Mapping[str, Reviewed]
    """What is served of the servers that are new, until they have answered."""

    async def discard(self) -> None:
        await asyncio.gather(*(connector.aclose() for connector in self.opened.values()))


Chain = Callable[[Settings, Compiled, ports.Limiter], Chains]
"""Makes the stages of one configuration."""


class Snapshots:
    """Owns the running upstreams. What a bad configuration would change stays as it is.

    `local` makes the connector of the gateway's own upstream, for a configuration.
    """

    def __init__(  # the ports of what it builds
        self,
        current: Current,
        review: Review,
        local: Callable[[Settings], ports.Connector],
        own: Sequence[Definition],
        services: Services,
        chain: Chain,
        attendance: Attendance,
    ) -> None:
        self._current = current
        self._local_for = local
        self._own = own
        self._services = replace(services, changed=self.rediscover)
        self._chain_for = chain
        self._attendance = attendance
        self._discovery = Discovery(review, self._swap, attendance.looked)
        self._review = review
        self._running: dict[str, Running] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._retiring: dict[asyncio.Task[None], Leased] = {}
        self._limiter = MemoryLimiter({})
        self._generation = 0
        self._force: _Force | None = None
        self.shows: Callable[[str, Server], Shows] = shows_nothing
        """How what the gateway itself shows a server is had."""
        self.views: Views = NO_VIEWS

    @property
    def running(self) -> Mapping[str, Running]:
        return self._running

    async def prepare(self, settings: Settings, base: Path) -> Prepared:
        """Does everything that can fail. Raises ConfigError with every reason, changing nothing."""
        made = await asyncio.to_thread(compiled, settings, base)
        limiter = self._limiter.renewed(settings.limits)
        opened = await self._opened(settings, made)
        new = [name for name in opened if name not in self._running]
        approved = {n: await self._approved(n, settings) for n in new}
        return Prepared(settings, made, limiter, opened, approved)

    async def _approved(self, name: str, settings: Settings) -> Reviewed:
        personal = settings.servers[name].grant.personal
        return await asyncio.to_thread(self._review.approved, name, personal=personal)

    def commit(self, new: Prepared) -> None:
        """Puts it in force in one step. What it replaces ends once the calls on it have."""
        known = self._force.engine.warnings if self._force else ()
        for warning in new.compiled.engine.warnings:
            if warning not in known:
                log.warning("policy: %s", warning)
        self._limiter = new.limiter
        self._force = _Force(
            new.settings,
            new.compiled.engine,
            self._chain_for(new.settings, new.compiled, new.limiter),
            self._local_for(new.settings),
        )
        before = self._running
        self._running = {n: self._taken(n, c, new) for n, c in new.settings.servers.items()}
        self._swap()
        for name, running in before.items():
            if self._running.get(name) is not running:
                self._retire(running.connector, self._tasks.pop(name))
        for name in new.opened:
            # Owned here: cancelled when the server goes, or when the gateway ends.
            following = self._follow(self._running[name])
            self._tasks[name] = asyncio.get_running_loop().create_task(following)

    async def aclose(self) -> None:
        """Ends every server, without any grace."""
        ending = [*self._retiring, *self._tasks.values()]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        connectors = [*self._retiring.values(), *(r.connector for r in self._running.values())]
        await asyncio.gather(*(c.aclose() for c in connectors), return_exceptions=True)

    def ended(self, call: Call, outcome: str, seconds: float) -> None:  # noqa: ARG002  # the port's
        """Implements `ports.Observer`: a server of which a call failed is looked at again."""
        if outcome == UpstreamFailed.slug and (running := self._running.get(call.target.server)):
            running.suspect(asyncio.get_running_loop().time())

    def saw(self, name: str, listed: Sequence[Definition]) -> None:
        """What one person's list showed is looked at like any other: it may need a review."""
        if running := self._running.get(name):
            running.saw(listed)

    def connector(self, name: str) -> ports.Connector | None:
        """That of a server that runs."""
        running = self._running.get(name)
        return running.connector if running else None

    def rediscover(self, name: str) -> None:
        """Asks for a new list of one upstream."""
        if running := self._running.get(name):
            running.wanted.set()

    async def accept(self, server: str, name: str) -> list[str]:
        """Takes what is held back of a server as reviewed, and returns the names."""
        running = self._running.get(server)
        if running is None:
            return []
        served = {d.digest for d in running.reviewed.served}
        chosen = [
            d
            for d in running.listed
            if d.digest not in served and not d.flaw and name in ("", d.name)
        ]
        if chosen:
            personal = running.grant.personal
            await asyncio.to_thread(self._review.accept, chosen, personal=personal)
            running.wanted.set()
        return [f"{d.kind}/{server}/{d.name}" for d in chosen]

    async def differences(self, server: str) -> list[Difference]:
        """What the upstreams list otherwise than it was approved: of one, or of all of them."""
        found: list[Difference] = []
        for name, running in sorted(self._running.items()):
            if server in ("", name):
                pinned = await asyncio.to_thread(self._review.pinned, name)
                listed = await asyncio.to_thread(self._unreviewed, running)
                whole = not running.trouble and not running.grant.personal
                era = running.offered.era
                found += await asyncio.to_thread(between, pinned, listed, era, whole=whole)
        return found

    def _unreviewed(self, running: Running) -> Sequence[Definition]:
        """What it lists, without the wordings that were reviewed beside the pinned one."""
        if not running.grant.personal:
            return running.listed
        known, pinned = self._review.wordings(running.name), self._review.pinned(running.name)
        beside = {
            (*key, digest)
            for key, digests in known.items()
            for digest in digests
            if key in pinned and digest != pinned[key].digest
        }
        return [d for d in running.listed if (d.kind, d.name, d.digest) not in beside]

    async def _opened(self, settings: Settings, made: Compiled) -> dict[str, Leased]:
        """Connectors for the servers that are new, or reached in another way than before."""
        opened: dict[str, Leased] = {}
        faults: list[str] = []
        for name, config in settings.servers.items():
            known = self._running.get(name)
            if known and _reached_alike(known.config, config):
                continue
            kind = CONNECTORS[config.connector]
            try:
                connector = await kind.open(name, made.servers[name], self._services)
            except (ValueError, OSError) as error:
                faults.append(f"servers.{name}: {error}")
            else:
                opened[name] = Leased(name, connector)
        if faults:
            await asyncio.gather(*(connector.aclose() for connector in opened.values()))
            raise ConfigError(*faults)
        return opened

    def _taken(self, name: str, config: Server, new: Prepared) -> Running:
        """The server as the new configuration has it: its connection is kept where it can be."""
        known = self._running.get(name)
        connector = new.opened.get(name)
        if known and connector is None:
            known.take(config, self.shows(name, config))
            return known
        if connector is None:
            raise KeyError(name)
        running = Running(name, config, connector, self.shows(name, config))
        if known:
            # Until it has answered, its tools are those that were reviewed under this name.
            running.listed, running.reviewed = known.listed, known.reviewed
        else:
            running.reviewed = new.approved[name]
        return running

    async def _follow(self, running: Running) -> None:
        """Both are supervisors, and end by being cancelled: this one, when both of them have."""
        async with asyncio.TaskGroup() as both:
            both.create_task(self._discovery.follow(running))
            both.create_task(self._attendance.follow(running))

    def _retire(self, connector: Leased, following: asyncio.Task[None]) -> None:
        task = asyncio.get_running_loop().create_task(_ended(connector, following))
        self._retiring[task] = connector
        task.add_done_callback(lambda done: self._retiring.pop(done, None))

    def _swap(self) -> None:
        """Builds the snapshot of this moment: pure but for the one assignment at its end."""
        force = self._force
        if force is None:
            return
        self._generation += 1
        servers = force.settings.servers
        built = self._built(servers)
        held = dict(built.held)
        for running in self._running.values():
            held.update(running.reviewed.held)
        upstreams = {name: _upstream(running) for name, running in self._running.items()}
        upstreams[GATEWAY] = Upstream(GATEWAY, force.local, guard="none")
        self._current.swap(
            Snapshot(
                tenant=force.settings.gateway.tenant,
                generation=self._generation,
                digest=_digest(force.engine.digest, built.definitions, force.settings),
                upstreams=upstreams,
                catalog=built.names,
                local=built.local,
                definitions=built.definitions,
                policy=force.engine,
                held=held,
                claims=built.claims,
                wordings=built.wordings,
                chain=force.chains.answer,
                hear=force.chains.hear,
                views=self.views,
            )
        )

    def _built(self, servers: Mapping[str, Server]) -> catalog.Catalog:
        """The gateway's own definitions, and those that are served of the upstreams."""
        running = self._running
        connected = [name for name, server in running.items() if server.grant.connected]
        served = [d for server in running.values() for d in server.reviewed.served]
        requires = {name: server.requires for name, server in servers.items()}
        labels = {name: server.governance.labels for name, server in servers.items()}
        found = [*self._own, *own.connecting(connected), *served]
        personal = {name for name, server in running.items() if server.grant.personal}
        return catalog.build(found, requires, connected, labels, personal)


async def _ended(connector: Leased, following: asyncio.Task[None]) -> None:
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await connector.retire(GRACE)


def shows_nothing(name: str, config: Server) -> Shows:  # noqa: ARG001  # of any
    """Where nobody says what a server is shown."""

    async def nothing() -> Credential:
        return NONE

    return nothing


def _reached_alike(old: Server, new: Server) -> bool:
    return (old.connector, old.own()) == (new.connector, new.own())


def _upstream(running: Running) -> Upstream:
    return Upstream(
        running.name,
        running.connector,
        running.grant,
        running.config.guard,
        trouble=running.trouble,
        offered=running.offered,
    )


def _digest(policy: str, definitions: Mapping[str, Definition], settings: Settings) -> str:
    """Of everything by which a call may come out differently."""
    said = settings.model_dump(mode="json", include={"servers", "limits", "guards"})
    content = [policy, sorted(definitions), said]
    return hashlib.sha256(jsonrpc.canonical(content)).hexdigest()[:16]
