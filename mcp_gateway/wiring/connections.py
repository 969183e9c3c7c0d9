"""What people connect, and the pages by which they do."""

from collections.abc import Callable, Sequence

from starlette.routing import Route

from mcp_gateway.config import Server, Settings
from mcp_gateway.core.credential import NOTHING_SHOWN, Credential
from mcp_gateway.core.principal import Principal
from mcp_gateway.edge.origins import Origins
from mcp_gateway.edge.pages.connect import ConnectPages
from mcp_gateway.services.connections import Connections, Kept
from mcp_gateway.services.consenting import Consenting
from mcp_gateway.services.servers import NobodyYet, Shows
from mcp_gateway.services.visible import first_connected
from mcp_gateway.wiring.ground import Ground, Wired


def wire(ground: Ground, wired: Wired) -> None:
    """Grants, links, and who may follow them."""
    kept = Kept(
        ground.database,
        ground.ledger,
        ground.keyring,
        lambda: wired.secrets,
        lambda: wired.connecting,
        lambda: ground.settings().public,
    )
    connections = wired.consents = Connections(kept)
    consenting = Consenting(
        connections,
        lambda: ground.settings().servers,
        lambda: wired.connecting,
        lambda: ground.settings().identity.anonymous,
    )

    def routes(settings: Settings) -> Sequence[Route]:
        gateway, public = settings.gateway, settings.public
        origins = Origins(public, gateway.listen, gateway.hosts, gateway.origins)
        return ConnectPages(public, origins, consenting, lambda: wired.browsers).routes()

    async def changed(_: Principal, server: str) -> None:
        """A first grant may be what its list was waiting for."""
        if wired.snapshots is not None:
            wired.snapshots.rediscover(server)

    connections.changed.append(changed)
    wired.shows = _first_grants(ground, wired, wired.shows)
    wired.routes.append(routes)
    wired.jobs["renewed grants"] = connections.count


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
