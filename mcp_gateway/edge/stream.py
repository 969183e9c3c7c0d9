"""One answer on the wire: plain JSON, or an event stream from the first notification on."""

import asyncio
from collections.abc import MutableMapping
from contextlib import aclosing
from typing import Any, Final

from mcp_gateway.core.body import Body
from mcp_gateway.core.errors import Refusal
from mcp_gateway.edge.asgi import Send, respond
from mcp_gateway.edge.pulse import Pulse
from mcp_gateway.edge.refusals import Answer, Flow
from mcp_gateway.wire import sse

HEADERS: Final = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]
_NO_LINE_ENDS: Final = bytes.maketrans(b"\r\n", b"  ")
"""In JSON a line end is a space, and an event has one line of data."""


class Stream:
    """Decides as late as it can whether the answer is a stream.

    With a `pulse` it becomes one when nothing has been said for long, if the caller takes event
    streams, and is never quiet for longer. What is `begun` is to be closed.
    """

    def __init__(self, send: Send, *, events: bool, pulse: Pulse | None = None) -> None:
        self._send = send
        self._events = events
        self._started = False
        self._finished = False
        self._turn: asyncio.Lock | None = None
        """Whose turn it is to write; an answer that nothing comes before needs none."""
        self._beating: asyncio.Task[None] | None = None
        self._spoke = True
        self._pulse = pulse if events else None
        if self._pulse:
            self._pulse.add(self)

    def beat(self) -> None:
        """Called now and then: says something if nothing was said since the last time."""
        spoke, self._spoke = self._spoke, False
        if spoke or self._finished or (self._turn and self._turn.locked()):
            return
        self._turn = self._turn or asyncio.Lock()
        # Kept here, and ended by `close`.
        self._beating = asyncio.get_running_loop().create_task(self._say(sse.KEEP_ALIVE))

    def close(self) -> None:
        """Nothing will be said any more."""
        if self._pulse:
            self._pulse.remove(self)
        if self._beating:
            self._beating.cancel()

    async def notify(self, message: Body) -> None:
        """Sends a notification, if the caller takes event streams."""
        if self._events:
            await self._say(sse.encode(message.raw))

    async def finish(self, answer: Answer) -> None:
        """Sends the answer, once: a cancellation may come while it is being written."""
        if self._finished:
            if answer.flow:
                await answer.flow.aclose()
            return
        self._finished = True
        if self._turn is None and answer.flow is None:
            await respond(self._send, answer.status, answer.message, answer.headers)
            return
        async with self._turn or asyncio.Lock():
            if answer.flow:
                await self._flowing(answer, answer.flow)
            elif self._started:
                await self._part(sse.encode(answer.message), more=False)
            else:
                await respond(self._send, answer.status, answer.message, answer.headers)

    async def _say(self, data: bytes) -> None:
        """Writes an event, or a comment, when it is its turn; nothing behind the answer."""
        self._turn = self._turn or asyncio.Lock()
        async with self._turn:
            if self._finished:
                return
            if not self._started:
                self._started = True
                await self._start(200, HEADERS)
            await self._part(data, more=True)

    async def _flowing(self, answer: Answer, flow: Flow) -> None:
        """Sends an answer in pieces. One that breaks off breaks the connection off with it."""
        try:
            async with aclosing(flow.pieces()) as pieces:
                if self._started:
                    await self._part(b"event: message\ndata: ", more=True)
                else:
                    await self._start(answer.status, answer.headers)
                async for piece in pieces:
                    data = piece.translate(_NO_LINE_ENDS) if self._started else piece
                    await self._part(data, more=True)
        except (Refusal, ValueError) as broken:
            raise ConnectionAbortedError from broken
        await self._part(b"\n\n" if self._started else b"", more=False)

    async def _start(self, status: int, headers: Any) -> None:
        start: MutableMapping[str, Any] = {"type": "http.response.start", "status": status}
        await self._send({**start, "headers": list(headers)})

    async def _part(self, data: bytes, *, more: bool) -> None:
        self._spoke = True
        await self._send({"type": "http.response.body", "body": data, "more_body": more})
