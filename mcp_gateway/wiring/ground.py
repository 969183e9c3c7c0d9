"""What the parts are wired on, and what they bring."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.routing import Route

from mcp_gateway.config import Server, Settings
from mcp_gateway.core import ports
from mcp_gateway.core.credential import NONE, Credential, Rejected, Shown
from mcp_gateway.core.grants import GrantKey
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import Current
from mcp_gateway.core.views import NO_VIEWS, Views
from mcp_gateway.home import Home
from mcp_gateway.oauth.ports import (
    Browsers,
    Connecting,
    Consents,
    Leases,
    People,
    Secrets,
    Tokens,
)
from mcp_gateway.oauth.rfc9068 import Seen
from mcp_gateway.oauth.upstream.discovery import Discovery
from mcp_gateway.services.acts.people import Disconnect
from mcp_gateway.services.connections import Opened, nobody
from mcp_gateway.services.issuer import Issuer
from mcp_gateway.services.jobs import Job
from mcp_gateway.services.keyring import KeyringService
from mcp_gateway.services.listens import Listens
from mcp_gateway.services.local import Ready, at_once
from mcp_gateway.services.registrations import Registrations
from mcp_gateway.services.servers import Shows
from mcp_gateway.services.snapshots import Snapshots, shows_nothing
from mcp_gateway.services.views import OfPerson
from mcp_gateway.store.database import Database
from mcp_gateway.telemetry.metrics import Metrics
from mcp_gateway.wire.http import HttpClient


@dataclass(frozen=True, slots=True)
class Ground:
    """What is open before anything is wired.

    `settings` gives the configuration in force, once there is one; `at_start` is the first. The
    paths in it are relative to `base`.
    """

    at_start: Settings
    settings: Callable[[], Settings]
    base: Path
    home: Home
    database: Database
    http: HttpClient
    ledger: ports.Ledger
    current: Current
    keyring: KeyringService
    metrics: Metrics


def no_broker(_: Settings) -> ports.Broker:
    """Before the upstreams are wired."""
    raise RuntimeError("no broker is wired")


async def nothing(
    principal: Principal,  # noqa: ARG001
    server: str,  # noqa: ARG001
    shown: Shown,  # noqa: ARG001
    rejected: Rejected | None = None,  # noqa: ARG001
) -> Credential:
    """Where no server is shown anything."""
    return NONE


def unseen(_: Settings) -> Seen | None:
    """Where nobody is told of the tokens that are accepted."""
    return None


def the_external(_: Settings, external: Tokens | None) -> Tokens | None:
    """What verifies tokens where the gateway issues none itself."""
    return external


async def nothing_connected(tenant: str, issuer: str, subject: str, reason: str) -> None:
    """Where nobody connects anything."""


@dataclass(slots=True)
class Wired:
    """What the parts bring.

    `broker`, `shows` and `tokens` are called for each configuration, `routes` too; `installed` is
    told of each one that is put in force. `acting` are the services whose acts are operations, by
    the first part of their names; `jobs` go on beside the calls; `troubles` say by name what is
    wrong; `closing` ends what has to end, the last first. `listens` and `snapshots` are there once
    everything is wired. `of_person` is what somebody shows a server outside of a call; `used`
    gives, once, the grants that calls were made with; `sealed` says how many secrets each key has.
    `issuer` is the outside one of the configuration in force; of its tokens is told what `seen`
    gives for it.
    """

    secrets: Secrets | None = None
    leases: Leases | None = None
    consents: Consents | None = None
    connecting: Connecting | None = None
    people: People | None = None
    browsers: Browsers | None = None
    views: Views = NO_VIEWS
    broker: Callable[[Settings], ports.Broker] = no_broker
    shows: Callable[[str, Server], Shows] = shows_nothing
    tokens: Callable[[Settings, Tokens | None], Tokens | None] = the_external
    issuer: Issuer | None = None
    seen: Callable[[Settings], Seen | None] = unseen
    acting: dict[str, Any] = field(default_factory=dict)
    routes: list[Callable[[Settings], Sequence[Route]]] = field(default_factory=list)
    jobs: dict[str, Job] = field(default_factory=dict)
    listens: Listens | None = None
    snapshots: Snapshots | None = None
    closing: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    installed: list[Callable[[Settings], None]] = field(default_factory=list)
    troubles: list[Callable[[], Mapping[str, str]]] = field(default_factory=list)
    registrations: Registrations | None = None
    discovery: Discovery | None = None
    of_person: OfPerson = nothing
    used: Callable[[], Collection[GrantKey]] = tuple
    sealed: Callable[[], Mapping[str, int]] = dict
    ready: Ready = at_once
    opened: Opened = nobody
    disconnect: Disconnect = nothing_connected

    async def aclose(self) -> None:
        for end in reversed(self.closing):
            await end()

    def trouble(self) -> Mapping[str, str]:
        """All that is wrong, by name."""
        return {name: said for look in self.troubles for name, said in look().items()}
