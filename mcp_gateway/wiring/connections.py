"""What people connect, and the pages by which they do."""

from collections.abc import Callable, Sequence

from starlette.routing import Route

from mcp_gateway.config import Server, Settings
from mcp_gateway.core import ports
from mcp_gateway.core.credential import NOTHING_SHOWN, Credential, Rejected, Shown
from mcp_gateway.core.grants import grant_key
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.target import Definition
from mcp_gateway.edge.ids import Ids
from mcp_gateway.edge.origins import Origins
from mcp_gateway.edge.pages.connect import ConnectPages
from mcp_gateway.edge.pages.connections import ConnectionsPage
from mcp_gateway.edge.pages.page import style
from mcp_gateway.services.acts.connections import ConnectionActs
from mcp_gateway.services.acts.grants import GrantActs
from mcp_gateway.services.connections import Connections, Kept
from mcp_gateway.services.consenting import Consenting
from mcp_gateway.services.servers import NobodyYet, Shows
from mcp_gateway.services.views import PersonalViews
from mcp_gateway.services.visible import first_connected
from mcp_gateway.wiring.ground import Ground, Wired


def wire(ground: Ground, wired: Wired) -> None:
    """Grants, links, who may follow them, and what each person's own lists show."""
    connections = wired.consents = _connections(ground, wired)
    views = wired.views = _views(wired, connections)

    async def changed(principal: Principal, server: str) -> None:
        granted = ground.current.keyring.grants.get(grant_key(principal, server))
        connected = granted is not None and granted.state == "connected"
        await views.again(principal, server, connected=connected)

    def opened(address: Callable[[str], bool]) -> None:
        wired.opened(address)  # which is there once everything is

    connections.changed.append(changed)
    connections.opened = opened
    connections.used = wired.used
    connections.revoked = ground.metrics.credentials.revoked
    wired.ready = views.ready
    wired.disconnect = connections.disconnect
    wired.closing.append(views.aclose)
    wired.acting["grants"] = GrantActs(connections)
    wired.acting["connections"] = ConnectionActs(connections, views)
    wired.shows = _first_grants(ground, wired, wired.shows)
    wired.routes.append(_pages(ground, wired, connections))
    wired.jobs["renewed grants"] = connections.count
    wired.jobs["grants that nobody uses"] = views.follow


def _connections(ground: Ground, wired: Wired) -> Connections:
    return Connections(
        Kept(
            ground.database,
            ground.ledger,
            ground.keyring,
            lambda: wired.secrets,
            lambda: wired.connecting,
            lambda: ground.settings().public,
        )
    )


def _pages(
    ground: Ground, wired: Wired, connections: Connections
) -> Callable[[Settings], Sequence[Route]]:
    consenting = Consenting(
        connections,
        lambda: ground.settings().servers,
        lambda: wired.connecting,
        lambda: ground.settings().identity.anonymous,
    )

    def routes(settings: Settings) -> Sequence[Route]:
        gateway, public = settings.gateway, settings.public
        at = (public, Origins(public, gateway.listen, gateway.hosts, gateway.origins))
        links = ConnectPages(*at, consenting, lambda: wired.browsers)
        mine = ConnectionsPage(*at, ground.current, lambda: wired.browsers, Ids())
        return [style(), *links.routes(), *mine.routes()]

    return routes


def _views(wired: Wired, connections: Connections) -> PersonalViews:
    """What is wired later is looked for when it is needed."""

    async def of_person(
        principal: Principal, server: str, shown: Shown, rejected: Rejected | None = None
    ) -> Credential:
        return await wired.of_person(principal, server, shown, rejected)

    def connector(server: str) -> ports.Connector | None:
        return wired.snapshots.connector(server) if wired.snapshots else None

    def saw(server: str, listed: Sequence[Definition]) -> None:
        if wired.snapshots:
            wired.snapshots.saw(server, listed)

    def changed() -> None:
        if wired.listens:
            wired.listens.look_again()

    return PersonalViews(connections, of_person, connector, saw, changed)


def _first_grants(
    ground: Ground, wired: Wired, others: Callable[[str, Server], Shows]
) -> Callable[[str, Server], Shows]:
    """A list that becomes known with the first who connects is asked for as one of those.

    One that is pinned is asked for as nobody.
    """

    def shows(name: str, config: Server) -> Shows:
        if config.discovery == "service":
            return others(name, config)

        async def as_somebody() -> Credential:
            if config.discovery == "pinned":
                raise NobodyYet(f"the list of {name} is what was approved")
            somebody = first_connected(ground.current.keyring.grants, name)
            return await wired.of_person(somebody, name, NOTHING_SHOWN)

        return as_somebody

    return shows
