"""What a gateway is made of, what is wrong with it, and what it measures."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, get_args

from starlette.applications import Starlette

from mcp_gateway.config import Settings
from mcp_gateway.core.grants import GrantState
from mcp_gateway.core.snapshot import Current
from mcp_gateway.edge.bearer import BearerAuthenticator
from mcp_gateway.edge.mcp import McpEndpoint
from mcp_gateway.edge.sessions import Sessions
from mcp_gateway.edge.standing import Standing
from mcp_gateway.edge.wellknown import is_ready
from mcp_gateway.home import Home
from mcp_gateway.ledger.append import Log
from mcp_gateway.oauth.ports import Tokens
from mcp_gateway.services.issuer import unheard
from mcp_gateway.services.jobs import Jobs
from mcp_gateway.services.keyring import KeyringService
from mcp_gateway.services.listens import Listens
from mcp_gateway.services.parking import Parking
from mcp_gateway.services.snapshots import Snapshots
from mcp_gateway.store.database import Database
from mcp_gateway.telemetry.metrics import Gauge, Metrics
from mcp_gateway.wire.http import HttpClient
from mcp_gateway.wiring.ground import Wired

STATES: Final[tuple[GrantState, ...]] = get_args(GrantState)


@dataclass(frozen=True, slots=True)
class Front:
    """The edges, as one configuration has them. Replaced whole; a request keeps its own."""

    authenticator: BearerAuthenticator
    endpoint: McpEndpoint
    rest: Starlette
    tokens: Tokens | None


@dataclass(slots=True)
class Parts:
    """What the gateway is made of, for whoever starts, reloads and ends it."""

    settings: Settings
    home: Home
    base: Path
    current: Current
    log: Log
    database: Database
    snapshots: Snapshots
    keyring: KeyringService
    http: HttpClient
    metrics: Metrics
    parking: Parking
    listens: Listens
    wired: Wired
    closing: AsyncExitStack = field(default_factory=AsyncExitStack)
    jobs: Jobs = field(default_factory=Jobs)
    sessions: Sessions = field(default_factory=Sessions)
    front: Front | None = None
    standing: Standing = field(init=False)
    draining: bool = False
    rejected: str = ""
    waiting: str = ""

    def __post_init__(self) -> None:
        self.sessions.parks = self.parking
        self.standing = Standing(self.current, lambda: self.authenticator)
        self.standing.also(self._look_again)

    async def _look_again(self) -> None:
        revoked = self.authenticator.revoked
        self.parking.look_again(self.current, revoked)
        await self.sessions.look_again(revoked)

    @property
    def edges(self) -> Front:
        """Raises RuntimeError before the first configuration is in force."""
        if self.front is None:
            raise RuntimeError("no configuration is in force")
        return self.front

    @property
    def authenticator(self) -> BearerAuthenticator:
        return self.edges.authenticator

    @property
    def tokens(self) -> Tokens | None:
        return self.edges.tokens


def troubles(parts: Parts) -> Mapping[str, str]:
    """What is wrong, by name. What begins with "server " or "configuration" costs no readiness."""
    found: dict[str, str] = {}
    if parts.draining:
        found["draining"] = "the gateway is stopping"
    if not parts.log.healthy:
        found["ledger"] = parts.log.trouble or "the disk does not keep up"
    if parts.tokens is not None and not parts.tokens.ready:
        found["issuer"] = "its keys could not be fetched yet"
    found |= {**parts.jobs.failing, **parts.wired.trouble()}
    found |= unheard(parts.settings.identity)
    if parts.rejected:
        found["configuration refused"] = parts.rejected
    if parts.waiting:
        found["configuration waiting"] = f"at the next start takes effect: {parts.waiting}"
    for name, running in parts.snapshots.running.items():
        if running.trouble:
            found[f"server {name}"] = running.trouble
    return found


def gauges(parts: Parts) -> Iterator[Gauge]:
    """What /metrics says besides the calls."""
    snapshot = parts.current.of(parts.settings.gateway.tenant)
    yield Gauge("ready", "1 while /readyz is green", is_ready(troubles(parts)))
    yield Gauge("draining", "1 while the gateway is stopping", parts.draining)
    yield Gauge("configuration_refused", "1 while the file is not what runs", bool(parts.rejected))
    yield Gauge("generation", "The snapshot in force", snapshot.generation if snapshot else 0)
    yield Gauge("listens", "Listens that are open", len(parts.listens))
    yield Gauge("ledger_entries", "Entries of this process", parts.log.size)
    for name, running in parts.snapshots.running.items():
        yield Gauge(
            "server_up", "1 while the server has no trouble", not running.trouble, {"server": name}
        )
    grants = parts.current.keyring.grants
    states = Counter((upstream, granted.state) for (*_, upstream), granted in grants.items())
    for name, running in parts.snapshots.running.items():
        if running.grant.connected:
            for state in STATES:
                labels = {"server": name, "state": state}
                yield Gauge("grants", "Grants by how they stand", states[name, state], labels)
    for key, count in parts.wired.sealed().items():
        yield Gauge("vault_secrets", "Secrets that a key wraps", count, {"key": key})


async def close(parts: Parts) -> None:
    """Ends what `build` opened, the ledger last."""
    await parts.closing.aclose()
