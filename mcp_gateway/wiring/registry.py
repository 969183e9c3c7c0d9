"""Which servers there are, in the form of registries."""

from collections.abc import Sequence

from starlette.routing import Route

from mcp_gateway.config import Settings
from mcp_gateway.core.snapshot import Current
from mcp_gateway.edge.ids import Ids
from mcp_gateway.edge.mcp import Authenticator
from mcp_gateway.edge.origins import Origins
from mcp_gateway.edge.registry import RegistryEdge
from mcp_gateway.services.registry import Registry


def routes(
    settings: Settings, current: Current, authenticator: Authenticator, origins: Origins
) -> Sequence[Route]:
    """Of one configuration, behind the same authentication as its MCP endpoint."""
    made = Registry.of(settings)
    edge = RegistryEdge(current, authenticator, origins, made, Ids(), settings.registry.public)
    return edge.routes()
