"""Leases: one task of all processes on the store at a time, and the others wait."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from mcp_gateway.core.errors import UpstreamBusy
from mcp_gateway.store.leases import LeaseRows

LOOK: Final = 0.05
"""Seconds between two looks of who waits."""
PATIENCE: Final = 20.0
RELEASED_WITHIN: Final = 10.0


class StoredLeases:
    """Implements `ports.Leases`. Who dies while they hold one frees it when its time is over."""

    def __init__(
        self,
        rows: LeaseRows,
        *,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._rows = rows
        self._patience = patience
        self._clock = clock

    @asynccontextmanager
    async def held(self, name: str, seconds: float) -> AsyncIterator[None]:
        owner = secrets.token_hex(8)
        try:
            async with asyncio.timeout(self._patience):
                await self._taken(name, owner, seconds)
        except TimeoutError:
            raise UpstreamBusy(
                "another process is renewing this credential: call again", retry_after=1
            ) from None
        try:
            yield
        finally:
            await self._released(name, owner)

    async def _taken(self, name: str, owner: str, seconds: float) -> None:
        while True:
            now = self._clock()
            if await asyncio.to_thread(self._take, name, owner, now, now + seconds):
                return
            await asyncio.sleep(LOOK)

    def _take(self, name: str, owner: str, now: float, until: float) -> bool:
        """Who looks first hinders nobody who writes."""
        return self._rows.free(name, now) and self._rows.take(name, owner, now, until)

    async def _released(self, name: str, owner: str) -> None:
        """Also when the task is cancelled: the others need not wait until its time is over."""
        loop = asyncio.get_running_loop()
        releasing = loop.run_in_executor(None, self._rows.release, name, owner)
        async with asyncio.timeout(RELEASED_WITHIN):
            await asyncio.shield(releasing)
