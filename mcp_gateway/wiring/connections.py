"""What people connect, and the pages by which they do."""

from collections.abc import Sequence

from starlette.routing import Route

from mcp_gateway.config import Settings
from mcp_gateway.edge.origins import Origins
from mcp_gateway.edge.pages.connect import ConnectPages
from mcp_gateway.services.connections import Connections, Kept
from mcp_gateway.services.consenting import Consenting
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

    wired.routes.append(routes)
    wired.jobs["renewed grants"] = connections.count
