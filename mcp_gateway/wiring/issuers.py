"""Who vouches for callers, and what is taken back of it."""

from mcp_gateway.services.acts.tokens import TokenActs
from mcp_gateway.store.keys import Keys
from mcp_gateway.store.revocations import Revocations
from mcp_gateway.wiring.ground import Ground, Wired


def wire(ground: Ground, wired: Wired) -> None:
    """Revocations."""
    revocations = Revocations(ground.database)
    wired.acting["tokens"] = TokenActs(
        revocations,
        Keys(ground.database),
        ground.keyring,
        lambda: ground.settings().identity.max_token_lifetime,
    )
