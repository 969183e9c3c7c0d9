"""Who vouches for callers, and what is taken back of it."""

import asyncio
import time
from typing import Final

from mcp_gateway.services.acts.tokens import TokenActs
from mcp_gateway.store.keys import Keys
from mcp_gateway.store.revocations import Revocations
from mcp_gateway.wiring.ground import Ground, Wired

HOUR: Final = 3600.0


def wire(ground: Ground, wired: Wired) -> None:
    """Revocations."""
    revocations = Revocations(ground.database)
    wired.acting["tokens"] = TokenActs(
        revocations,
        Keys(ground.database),
        ground.keyring,
        lambda: ground.settings().identity.max_token_lifetime,
        ground.metrics.credentials.revoked,
    )

    async def collect() -> None:
        """Forgets once an hour what is over by itself; not at once, when all begins."""
        while True:
            await asyncio.sleep(HOUR)
            await asyncio.to_thread(revocations.collect, int(time.time()))

    wired.jobs["revocations that are over"] = collect
