"""The messages of an event stream, one by one; a stream that ended early is taken up again."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from connectors.failures import told
from connectors.heard import Said
from mcp_gateway.core.errors import ResultTooLarge, UpstreamFailed, UpstreamTimedOut
from mcp_gateway.wire import jsonrpc, sse
from mcp_gateway.wire.connection import Response
from mcp_gateway.wire.failures import HttpFailed, HttpTimedOut, TooLarge

PAUSE: Final = 1.0
"""Seconds before a stream is taken up again, where its server does not say."""
LEAST: Final = 0.05
LONGEST: Final = 30.0

Reopen = Callable[[str], Awaitable[Response]]
"""Asks for what follows the event with this id (`Last-Event-ID`)."""


class Unheld(ResultTooLarge):
    """An event that is larger than may be held. Whoever can pass it on does not refuse it."""

    reading: "Reading"


class Reading:
    """One answer's stream. Without `reopen` its end is its end.

    With `held` an event of more bytes raises Unheld, and can be `taken`.
    """

    def __init__(
        self, server: str, response: Response, reopen: Reopen | None = None, *, held: int = 0
    ) -> None:
        self._server = server
        self._response = response
        self._reopen = reopen
        self._held = held
        self._decoder = self._decoding()
        self._ready: deque[sse.Event] = deque()
        self._taken = False

    async def next(self, idle: float) -> Said:
        """The message of the next event. Raises as `event`."""
        data = (await self.event(idle)).data
        try:
            return Said(jsonrpc.parse(data), data)
        except jsonrpc.Malformed as fault:
            said = f"{self._server}: in its stream is {fault.message}"
            raise UpstreamFailed(said) from None

    async def event(self, idle: float) -> sse.Event:
        """The next event that says something.

        Raises UpstreamFailed, UpstreamTimedOut, ResultTooLarge. `idle`: seconds without a byte,
        and without a stream that could be taken up again.
        """
        until = asyncio.get_running_loop().time() + idle
        while not self._ready:
            if self._decoder.flowing:
                unheld = Unheld(f"{self._server}: an event that is too large to be held")
                unheld.reading = self
                raise unheld
            chunk = await self._chunk(idle)
            if chunk:
                self._feed(chunk)
            else:
                await self._again(until)
        return self._ready.popleft()

    def leave(self) -> None:
        """Ends the stream, unless it was taken. May be called again."""
        if not self._taken:
            self._response.close()

    def taken(self) -> tuple[Response, sse.Flowing | None]:
        """The stream, in the midst of its event: whoever takes it closes it."""
        self._taken = True
        return self._response, self._decoder.flowing

    def _decoding(self, last: str = "") -> sse.Decoder:
        return sse.Decoder(self._held or sse.MOST, last_id=last, flows=self._held > 0)

    async def _chunk(self, idle: float) -> bytes:
        """The next bytes, empty at an end after which the stream may be taken up again."""
        try:
            return await self._response.chunk(idle)
        except HttpFailed as failure:
            if self._decoder.last_id and not isinstance(failure, HttpTimedOut | TooLarge):
                return b""
            raise told(self._server, failure) from None

    def _feed(self, chunk: bytes) -> None:
        try:
            events = self._decoder.feed(chunk)
        except ValueError as error:
            raise ResultTooLarge(f"{self._server}: {error}") from None
        # One without data primes an id to resume from (SEP-1699).
        self._ready.extend(event for event in events if event.data)

    async def _again(self, until: float) -> None:
        """Takes the stream up again where it ended."""
        last, retry = self._decoder.last_id, self._decoder.retry
        if not (last and self._reopen):
            raise UpstreamFailed(f"{self._server} ended its stream without an answer")
        self._response.close()
        pause = PAUSE if retry is None else min(max(retry / 1000, LEAST), LONGEST)
        if asyncio.get_running_loop().time() + pause > until:
            raise UpstreamTimedOut(f"{self._server} ends its streams without an answer")
        await asyncio.sleep(pause)
        response = await self._reopen(last)
        if not response.streaming:
            said = f"{self._server} ended its stream without an answer, and does not go on with it"
            raise UpstreamFailed(said)
        self._response = response
        self._decoder = self._decoding(last)
        self._decoder.retry = retry
