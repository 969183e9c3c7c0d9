"""The vault, and what only one process does at a time."""

from mcp_gateway.wiring.ground import Ground, Wired


def wire(ground: Ground, wired: Wired) -> None:
    """Nothing yet."""
