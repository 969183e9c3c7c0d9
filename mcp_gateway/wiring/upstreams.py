"""The credentials that upstreams are shown."""

from mcp_gateway.wiring.ground import Ground, Wired


def wire(ground: Ground, wired: Wired) -> None:
    """Nothing yet."""
