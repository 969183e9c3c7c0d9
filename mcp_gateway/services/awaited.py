"""Awaited: a person who said that they open the address has a while to consent there."""

import asyncio
from typing import Final

from mcp_gateway.core.call import Call
from mcp_gateway.core.grants import grant_key
from mcp_gateway.core.snapshot import Current

BOUND: Final = 30.0
"""Seconds: runtimes give a call a minute or more."""
EVERY: Final = 0.2


class Awaited:
    """Sees a grant that is made in another process too, since the keyring does."""

    def __init__(self, current: Current) -> None:
        self._current = current

    async def __call__(self, call: Call, server: str) -> bool:
        """Whether another grant than the call began with opens the server, within the bound."""
        key = grant_key(call.principal, server)
        before = call.snapshot.keyring.grants.get(key)
        try:
            async with asyncio.timeout(BOUND):
                while True:
                    granted = self._current.keyring.grants.get(key)
                    if granted and granted.state == "connected" and granted != before:
                        return True
                    await asyncio.sleep(EVERY)
        except TimeoutError:
            return False
