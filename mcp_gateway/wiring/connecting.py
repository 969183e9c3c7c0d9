"""The gateway as a client of upstreams' authorization servers."""

from collections.abc import Sequence
from typing import Final

from starlette.routing import Route

from mcp_gateway.config import Settings
from mcp_gateway.edge import client
from mcp_gateway.oauth.upstream.discovery import Discovery
from mcp_gateway.oauth.upstream.probe import Method
from mcp_gateway.services.connecting import Connecting, Reached
from mcp_gateway.services.grant_options import grant_options
from mcp_gateway.services.registrations import Registrations
from mcp_gateway.store.begun import Begun
from mcp_gateway.store.registrations import RegistrationRows
from mcp_gateway.wiring.ground import Ground, Wired

CALLBACK: Final = "/connect/callback"
PROBES: Final[dict[str, Method]] = {"mcp_http": "POST", "mcp_sse": "GET"}
"""How a stranger asks, by the kind of the connector; an API is not asked without need."""


def wire(ground: Ground, wired: Wired) -> None:
    """Raises ConfigError when the secret that codes are bound by cannot be read."""
    if wired.secrets is None or wired.leases is None:
        return
    registrations = Registrations(
        RegistrationRows(ground.database),
        wired.secrets,
        wired.leases,
        ground.http,
        lambda: ground.settings().public,
    )
    wired.registrations = registrations
    wired.discovery = Discovery(ground.http)
    wired.connecting = Connecting(
        lambda name: reached(ground.settings(), name),
        ground.home.state_secret(),
        Begun(ground.database),
        registrations,
        wired.discovery,
        ground.http,
    )
    wired.routes.append(routes)


def reached(settings: Settings, name: str) -> Reached:
    """How a server is connected. Raises KeyError for one that is not there, or is nobody's own."""
    server = settings.servers[name]
    if server.grant.kind != "delegated":
        raise KeyError(name)
    url = str(server.own()["url"])
    scopes = frozenset(server.grant.scopes)
    return Reached(url, grant_options(server.grant), scopes, PROBES.get(server.connector, ""))


def routes(settings: Settings) -> Sequence[Route]:
    public = settings.public
    return [client.route(public, public + CALLBACK)]
