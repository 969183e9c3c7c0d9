"""Ahead: a stream that is read on while nobody waits for it, since its call is parked."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from connectors.heard import Heard, Said
from connectors.reading import Reading
from mcp_gateway.core.asking import Fate
from mcp_gateway.core.credential import CredentialRefused
from mcp_gateway.core.errors import QuestionExpired, Refusal
from mcp_gateway.wire import jsonrpc

PARKED: Final = 3600.0
"""Seconds that an upstream may be quiet while it waits: longer than anything is parked."""
CANCELLED: Final = "notifications/cancelled"
OVER: Final = "nobody waits for the answer any more: call again"


class Ahead:
    """Takes a reading's place."""

    def __init__(
        self,
        server: str,
        reading: Reading,
        id_: bytes,
        pong: Callable[[Said], Awaitable[None]],
    ) -> None:
        self._id = id_
        self._reading = reading
        self._pong = pong
        self._heard = Heard(server)
        # Kept here, and ended in leave: it lives exactly as long as the request.
        self._going = asyncio.get_running_loop().create_task(self._read())

    @property
    def over(self) -> bool:
        return self._heard.over

    @property
    def fate(self) -> Fate:
        return self._heard.fate

    async def decided(self) -> Fate:
        return await self._heard.decided()

    def park(self, question: bytes) -> None:
        self._heard.park(question)

    async def next(self, idle: float) -> Said:
        return await self._heard.next(idle)

    def asked(self, said: Said) -> bool:
        """A question from elsewhere; whether there is room for it."""
        return self._heard.asked(said)

    def noted(self, said: Said) -> None:
        """A notification from elsewhere."""
        self._heard.note(said)

    def withdrawn(self, question: bytes) -> None:
        """The upstream does not ask this any more."""
        self._heard.withdrawn(question)

    def leave(self) -> None:
        """May be called again."""
        self._heard.ended(QuestionExpired(OVER))
        self._going.cancel()
        self._reading.leave()

    async def _read(self) -> None:
        try:
            while not self._heard.lost:
                await self._take(await self._reading.next(PARKED))
        except (Refusal, CredentialRefused) as failure:
            end = failure if isinstance(failure, Refusal) else QuestionExpired("call again")
            self._heard.ended(end)

    async def _take(self, said: Said) -> None:
        message = said.message
        if message.method == "ping" and message.id:
            await self._pong(said)
        elif not message.method:
            if message.id == self._id:
                self._heard.ended(said)
        elif message.id:
            if not self._heard.asked(said):
                self._heard.ended(QuestionExpired("the upstream asks too much at once"))
        elif message.method == CANCELLED:
            self.withdrawn(withdrawn(message))
        else:
            self._heard.note(said)


def withdrawn(message: jsonrpc.Message) -> bytes:
    """The id of the request that a cancellation is about, raw."""
    return bytes(jsonrpc.members(message.params.raw).get("requestId", b""))
