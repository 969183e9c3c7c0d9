"""The keyring in force: read from the store when its revision grows, and swapped alone."""

import asyncio

from mcp_gateway.core.snapshot import Current
from mcp_gateway.store.database import Database
from mcp_gateway.store.keys import Keys

EVERY = 0.5
"""Seconds between looks at the revision: another process's change takes effect within one."""


class KeyringService:
    """Follows the store."""

    def __init__(self, current: Current, database: Database, keys: Keys) -> None:
        self._current = current
        self._database = database
        self._keys = keys
        self._revision = -1
        self._reading = asyncio.Lock()

    async def refresh(self) -> None:
        """Puts the keys and revocations of the moment in force.

        One at a time: what was read first and comes last would let a revoked key in again.
        """
        async with self._reading:
            revision = await asyncio.to_thread(self._database.revision)
            keyring = await asyncio.to_thread(self._keys.keyring, revision)
            self._revision = revision
            self._current.swap_keyring(keyring)

    async def look(self) -> None:
        """Puts in force what another process changed, if it did."""
        if await asyncio.to_thread(self._database.revision) != self._revision:
            await self.refresh()

    async def follow(self) -> None:
        """Until cancelled: looks twice a second whether another process changed anything."""
        while True:
            await asyncio.sleep(EVERY)
            await self.look()
