"""Whose tokens are taken, and what ends them early."""

from mcp_gateway.wiring.ground import Ground, Wired


def wire(ground: Ground, wired: Wired) -> None:
    """Nothing yet."""
