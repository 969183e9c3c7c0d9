"""The catalogue of servers, for registries' clients."""

from mcp_gateway.wiring.ground import Ground, Wired


def wire(ground: Ground, wired: Wired) -> None:
    """Nothing yet."""
