"""One request of an HTTP/1.1 connection and its answer, as an ASGI application sees them."""

import asyncio
from collections.abc import MutableMapping
from typing import Any, Final, Protocol

from mcp_gateway.edge.asgi import Pairs, Scope
from mcp_gateway.edge.http_head import Framing

HIGH_WATER: Final = 64 * 1024
"""Bytes of a body that wait unread before the connection stops reading."""

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

Message = MutableMapping[str, Any]


class Owner(Protocol):
    """The connection, as its exchange needs it."""

    writable: asyncio.Event | None

    def write(self, data: bytes) -> None: ...

    def head(self, exchange: "Exchange", status: int, pairs: Pairs) -> bytes: ...

    def want(self) -> None:
        """The body is waited for: read on."""

    def hold(self) -> None:
        """Enough of the body waits: read no more."""

    def answered(self, exchange: "Exchange") -> None: ...

    def ended(self, exchange: "Exchange", task: asyncio.Task[None]) -> None: ...


class Exchange:
    """`receive` and `send` of one request. An answer leaves in one write where it is whole."""

    __slots__ = (
        "_body",
        "_changed",
        "_expects",
        "_fresh",
        "_owner",
        "_start",
        "_waiting",
        "answered",
        "framing",
        "gone",
        "scope",
        "started",
        "whole",
    )

    def __init__(self, owner: Owner, scope: Scope, *, keep: bool, expects: bool) -> None:
        """`expects`: whether the caller waits for a word before it sends its body."""
        self._owner = owner
        self._body: list[bytes] = []
        self._waiting = 0
        self._fresh = True
        self._changed: asyncio.Event | None = None
        self._expects = expects
        self._start: Message | None = None
        self.scope = scope
        self.framing = Framing(keep=keep)
        self.whole = False
        """The body has arrived."""
        self.started = False
        """Bytes of the answer have left."""
        self.answered = False
        self.gone = False
        """The caller, or the connection, is there no more."""

    # what the connection calls

    def feed(self, data: bytes) -> None:
        """A piece of the body."""
        if self.answered or self.gone:
            return
        self._expects = False
        self._body.append(data)
        self._waiting += len(data)
        self._fresh = True
        if self._waiting > HIGH_WATER:
            self._owner.hold()
        self._wake()

    def end(self) -> None:
        """The body is whole."""
        self.whole = self._fresh = True
        self._wake()

    def lose(self) -> None:
        """Nobody waits for the answer any more."""
        self.gone = True
        self._wake()

    def ended(self, task: asyncio.Task[None]) -> None:
        """The application has returned."""
        self._owner.ended(self, task)

    # what the application calls

    async def receive(self) -> Message:
        """The next piece of the body; `http.disconnect` after the answer or the caller's end."""
        while not (self.gone or self.answered):
            if self._body or (self.whole and self._fresh):
                return self._taken()
            if self._expects and not self.whole:
                self._expects = False
                self._owner.write(_CONTINUE)
            self._owner.want()
            self._changed = self._changed or asyncio.Event()
            await self._changed.wait()
            self._changed.clear()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Raises RuntimeError for a message out of turn, ValueError for an impossible header."""
        if (writable := self._owner.writable) is not None:
            await writable.wait()
        if self.gone:
            return
        if message["type"] == "http.response.start":
            if self._start is not None or self.started:
                raise RuntimeError("the answer has begun already")
            self._start = message
        else:
            self._part(message.get("body", b""), more=message.get("more_body", False))

    def _taken(self) -> Message:
        body = self._body
        data = body[0] if len(body) == 1 else b"".join(body)
        self._body, self._waiting, self._fresh = [], 0, False
        return {"type": "http.request", "body": data, "more_body": not self.whole}

    def _part(self, body: bytes, *, more: bool) -> None:
        """Writes a part of the body, behind the head where it is the first."""
        if self.answered:
            raise RuntimeError("the answer is complete already")
        framing, begun = self.framing, b""
        if not self.started:
            begun = self._begun()
        if self.scope["method"] == "HEAD":
            body, framing.left, framing.chunked = b"", 0, False
        data = begun + framed(framing, body, more=more)
        self._start, self.started, self._expects = None, True, False
        self.answered = not more
        if data:
            self._owner.write(data)
        if not more:
            self._wake()
            self._owner.answered(self)

    def _begun(self) -> bytes:
        """The head of the answer."""
        if self._start is None:
            raise RuntimeError("a body before its head")
        if self._expects and not self.whole:
            self.framing.close = True  # the body may follow or not: nobody could tell
        start = self._start
        return self._owner.head(self, start["status"], start.get("headers", ()))

    def _wake(self) -> None:
        if self._changed:
            self._changed.set()


def framed(framing: Framing, body: bytes, *, more: bool) -> bytes:
    """The bytes of a part of a body. Raises RuntimeError when it is not as long as was told."""
    if framing.chunked:
        chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
        return chunk if more else chunk + b"0\r\n\r\n"
    if framing.left is not None:
        framing.left -= len(body)
        if framing.left < 0 or (framing.left and not more):
            raise RuntimeError("the body is not as long as its head says")
    return body
