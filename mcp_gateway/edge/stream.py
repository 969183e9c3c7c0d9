"""One answer on the wire: plain JSON, or an event stream from the first notification on."""

from collections.abc import MutableMapping
from typing import Any, Final

from mcp_gateway.core.body import Body
from mcp_gateway.edge.asgi import Send, respond
from mcp_gateway.edge.refusals import Answer
from mcp_gateway.wire import sse

HEADERS: Final = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


class Stream:
    """Decides as late as it can whether the answer is a stream."""

    def __init__(self, send: Send, *, events: bool) -> None:
        self._send = send
        self._events = events
        self._started = False
        self._finished = False

    async def notify(self, message: Body) -> None:
        """Sends a notification, if the caller takes event streams."""
        if not self._events:
            return
        if not self._started:
            self._started = True
            start: MutableMapping[str, Any] = {"type": "http.response.start", "status": 200}
            await self._send({**start, "headers": HEADERS})
        await self._part(sse.encode(message.raw), more=True)

    async def finish(self, answer: Answer) -> None:
        """Sends the answer, once: a cancellation may come while it is being written."""
        if self._finished:
            return
        self._finished = True
        if self._started:
            await self._part(sse.encode(answer.message), more=False)
        else:
            await respond(self._send, answer.status, answer.message, answer.headers)

    async def _part(self, data: bytes, *, more: bool) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": more})
