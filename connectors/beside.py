"""What an upstream says beside its answers: the stream of a session of the initialize era."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from connectors.ahead import PARKED
from connectors.heard import Said
from connectors.reading import LONGEST, PAUSE, Reading
from mcp_gateway.core.credential import CredentialRefused
from mcp_gateway.core.errors import Refusal
from mcp_gateway.wire.connection import Response

FIRST: Final = 1.0
"""Seconds for the stream to begin before the first call: some begin with the first event."""

Open = Callable[[str], Awaitable[Response]]
"""Asks for the stream, from after the event with this id where there is one."""


class Beside:
    """Servers ask there too, or say nothing of it: then there is none, and nothing is lost."""

    def __init__(self, server: str, opened: Open, take: Callable[[Said], None]) -> None:
        self._server = server
        self._opened = opened
        self._take = take
        self._begun = asyncio.Event()
        self.open = False
        # Kept here, and ended in leave: it lives exactly as long as its session.
        self._going = asyncio.get_running_loop().create_task(self._read())

    async def begun(self) -> None:
        """Waits until it is open or will not be, within a bound."""
        try:
            async with asyncio.timeout(FIRST):
                await self._begun.wait()
        except TimeoutError:
            return

    def leave(self) -> None:
        self._going.cancel()

    async def _read(self) -> None:
        """To the end of the session, or until there is no stream to be had."""
        pause = PAUSE
        try:
            while await self._once():
                self.open = False
                pause = min(2 * pause, LONGEST)
                await asyncio.sleep(pause)
        except (Refusal, CredentialRefused):
            return
        finally:
            self.open = False
            self._begun.set()

    async def _once(self) -> bool:
        """Reads one stream to its end; whether there was one."""
        response = await self._opened("")
        reading = Reading(self._server, response, self._opened)
        self.open = response.streaming
        self._begun.set()
        try:
            while self.open:
                self._take(await reading.next(PARKED))
        except Refusal:
            return True
        finally:
            reading.leave()
        return False
