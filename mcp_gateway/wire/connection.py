"""One HTTP/1.1 connection: one request at a time, parsed by httptools."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final, cast

import httptools

from mcp_gateway.wire.failures import HttpFailed, HttpTimedOut, TooLarge

HEADERS_LIMIT: Final = 64 * 1024
STREAM_WINDOW: Final = 256 * 1024
"""Bytes of a stream that wait unread before the connection stops reading."""


class Response:
    """An answer: whole in `body`, or, of an event stream, its head and then `chunks()`."""

    __slots__ = ("_connection", "body", "headers", "status", "streaming")

    def __init__(self, status: int, headers: Mapping[str, str], connection: "Connection") -> None:
        self.status = status
        self.headers = headers
        self.body = b""
        self.streaming = headers.get("content-type", "").startswith("text/event-stream")
        self._connection = connection

    async def chunks(self, idle: float) -> AsyncIterator[bytes]:
        """The stream as it arrives. Raises HttpFailed; HttpTimedOut after `idle` quiet seconds."""
        while chunk := await self._connection.next_chunk(idle):
            yield chunk

    def close(self) -> None:
        """Ends the exchange. A stream that is not at its end takes the connection with it."""
        self._connection.leave()


class Connection(asyncio.Protocol):
    """The transport's side of an exchange. `released` is called when it may serve another."""

    def __init__(self, most: int, released: Callable[["Connection"], None]) -> None:
        self._most = most
        self._released = released
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser: Any = None
        self._waiter: asyncio.Future[Response] | None = None
        self._reset()
        self.usable = False

    def _reset(self) -> None:
        self._headers: dict[str, str] = {}
        self._size = 0
        self._body: list[bytes] = []
        self._response: Response | None = None
        self._chunks: deque[bytes] = deque()
        self._waiting = 0
        self._more: asyncio.Future[None] | None = None
        self._complete = False
        self._keep = False
        self._held = False
        self._lost = ""

    # what the pool calls

    async def exchange(self, head: bytes, body: bytes, timeout: float) -> Response:
        """Sends one request; resolves with a whole answer, or with the head of a stream."""
        transport = self._transport
        if transport is None or not self.usable:
            raise HttpFailed("the connection was closed before the request left")
        self._reset()
        self._parser = httptools.HttpResponseParser(self)
        # Local, since the connection may serve another exchange before this one's task goes on.
        waiter: asyncio.Future[Response] = self._loop.create_future()
        timer = self._loop.call_later(timeout, self._timed_out)
        self._waiter = waiter
        transport.write(head + body if len(body) < HEADERS_LIMIT else head)
        if len(body) >= HEADERS_LIMIT:
            transport.write(body)
        try:
            return await waiter
        except asyncio.CancelledError:
            if self._waiter is waiter:
                self.abort()
            raise
        finally:
            timer.cancel()

    async def next_chunk(self, idle: float) -> bytes:
        """The next bytes of a stream, empty at its end."""
        if not self._chunks and not self._complete and not self._lost:
            self._more = self._loop.create_future()
            try:
                async with asyncio.timeout(idle):
                    await self._more
            except TimeoutError:
                self.abort()
                raise HttpTimedOut("the stream fell silent", sent=True) from None
            finally:
                self._more = None
        if self._chunks:
            chunk = self._chunks.popleft()
            self._waiting -= len(chunk)
            if self._transport and self._waiting < STREAM_WINDOW:
                self._transport.resume_reading()
            return chunk
        if self._lost:
            raise HttpFailed(self._lost, sent=True)
        self._release()
        return b""

    def leave(self) -> None:
        """The caller is done with the answer."""
        if not self._complete:
            self.abort()
        elif self._held:
            self._release()

    def _release(self) -> None:
        """Offers the connection for another exchange, once, if it can serve one."""
        self._held = False
        if self.usable and self._keep:
            self._released(self)
        else:
            self.close()

    def abort(self) -> None:
        self.usable = False
        if self._transport:
            self._transport.abort()

    def close(self) -> None:
        self.usable = False
        if self._transport:
            self._transport.close()

    # what the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are streams without being asyncio's own class.
        self._transport = cast("asyncio.Transport", transport)
        self.usable = True

    def data_received(self, data: bytes) -> None:
        if self._parser is None or self._complete:
            self.abort()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(HttpFailed(f"the answer is not HTTP: {error}", sent=True))
        except HttpFailed as failure:
            self._fail(failure)

    def eof_received(self) -> None:
        self.usable = False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's own
        self.usable = False
        if self._complete:
            return
        if self._until_close():
            self.on_message_complete()
            return
        self._fail(HttpFailed("the connection was lost before the answer was whole", sent=True))

    def _until_close(self) -> bool:
        """Whether the answer is one that ends with its connection (RFC 9112, section 6.3)."""
        return (
            self._response is not None
            and "content-length" not in self._headers
            and "transfer-encoding" not in self._headers
        )

    # what the parser calls

    def on_message_begin(self) -> None:
        """A second answer to one request is somebody else's words: nobody may read it."""
        if self._complete:
            self.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._size += len(name) + len(value)
        if self._size > HEADERS_LIMIT:
            raise TooLarge(f"more than {HEADERS_LIMIT} bytes of headers", sent=True)
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        if key in self._headers:
            if key in ("content-length", "transfer-encoding"):
                raise HttpFailed(f"the answer has {key} twice", sent=True)
            text = f"{self._headers[key]}, {text}"
        self._headers[key] = text

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            self._headers.clear()
            return
        if "content-length" in self._headers and "transfer-encoding" in self._headers:
            raise HttpFailed("the answer has two lengths", sent=True)
        self._response = Response(status, self._headers, self)
        if self._response.streaming:
            self._settle()

    def on_body(self, data: bytes) -> None:
        if self._response is not None and self._response.streaming:
            self._chunks.append(data)
            self._waiting += len(data)
            if self._waiting >= STREAM_WINDOW and self._transport:
                self._transport.pause_reading()
            self._wake()
            return
        self._size += len(data)
        if self._size > self._most + HEADERS_LIMIT:
            raise TooLarge(f"an answer of more than {self._most} bytes", sent=True)
        self._body.append(data)

    def on_message_complete(self) -> None:
        if self._response is None:
            return
        self._complete = True
        self._response.body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._keep = bool(self._parser.should_keep_alive()) and not self._until_close()
        self._held = self._response.streaming
        if not self._held:
            self._release()
        self._settle()
        self._wake()

    def _settle(self) -> None:
        if self._waiter and not self._waiter.done() and self._response:
            self._waiter.set_result(self._response)

    def _wake(self) -> None:
        if self._more and not self._more.done():
            self._more.set_result(None)

    def _timed_out(self) -> None:
        self._fail(HttpTimedOut("no answer in time", sent=True))

    def _fail(self, failure: HttpFailed) -> None:
        self._lost = str(failure)
        if self._waiter and not self._waiter.done():
            self._waiter.set_exception(failure)
        self._wake()
        self.abort()
