"""One HTTP/1.1 connection: one exchange at a time."""

import asyncio
import re
import select
import ssl
from collections.abc import AsyncIterator, Mapping
from typing import Final, Protocol, cast

from mcp_gateway.wire.answer import EVENT_STREAM, Answer, media_type
from mcp_gateway.wire.failures import HttpFailed, HttpTimedOut, TooLarge

STREAM_WINDOW: Final = 256 * 1024
"""Bytes of a stream that wait unread before the connection stops reading."""
UNREAD: Final = 60.0
"""Seconds that a stream waits for its reader before it is given up."""
IDLE: Final = 50.0
"""Seconds that a connection is kept for the next request, where its server says as many."""
UNTOLD: Final = 4.0
"""The same where the server says nothing: common ones close after five seconds without a word,
and a request that crosses with that is lost, though nobody may send it twice."""
JOINED: Final = 64 * 1024
"""Bytes of a body up to which it leaves in one piece with its head."""

_KEPT: Final = re.compile(r"timeout=(\d{1,6})")


class Owner(Protocol):
    """Who lends connections out."""

    def released(self, connection: "Connection") -> None:
        """Its exchange is over, and it may serve another."""

    def lost(self, connection: "Connection") -> None:
        """It is gone."""


class Response:
    """An answer: whole in `body`, or, when `streaming`, its head and then `chunks()`.

    Header names are lower-case, values of the same name joined by ", ".
    """

    __slots__ = ("_answer", "_connection", "body", "headers", "status", "streaming")

    def __init__(self, answer: Answer, connection: "Connection") -> None:
        self.status = answer.status
        self.headers: Mapping[str, str] = answer.headers
        self.streaming = answer.streamed
        self.body = b"" if answer.streamed else answer.take()
        self._answer = answer
        self._connection = connection

    @property
    def events(self) -> bool:
        """Whether it is an event stream, which has no bound, rather than one large answer."""
        return media_type(self._answer.headers) == EVENT_STREAM

    async def chunks(self, idle: float) -> AsyncIterator[bytes]:
        """The stream as it arrives. Raises HttpFailed; HttpTimedOut after `idle` quiet seconds."""
        while chunk := await self._connection.next_chunk(self._answer, idle):
            yield chunk

    async def chunk(self, idle: float) -> bytes:
        """The next of `chunks()`, empty at the end."""
        return await self._connection.next_chunk(self._answer, idle)

    async def read(self, most: int, idle: float) -> bytes:
        """The rest of the stream. Raises TooLarge when that is more than `most` bytes."""
        held = bytearray()
        async for chunk in self.chunks(idle):
            held += chunk
            if len(held) > most:
                self.close()
                raise TooLarge(f"an answer of more than {most} bytes", sent=True)
        return bytes(held)

    def close(self) -> None:
        """Ends the exchange. A stream that is not at its end takes the connection with it."""
        self._connection.leave(self._answer)


class Connection(asyncio.Protocol):
    """The transport's side of an exchange. Everything here happens on its event loop."""

    def __init__(self, owner: Owner, most: int) -> None:
        self._owner = owner
        self._most = most
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._poll: select.poll | None = None
        self._answer: Answer | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._reader_timer: asyncio.TimerHandle | None = None
        self._paused = False
        self._ended = False
        self.idle_until = float("inf")
        self.gone: asyncio.Future[None] = self._loop.create_future()

    # what the pool calls

    @property
    def alive(self) -> bool:
        transport = self._transport
        return transport is not None and not self._ended and not transport.is_closing()

    def usable(self, now: float) -> bool:
        """Whether a request may leave on it: open, not too long idle, and nothing has come in.

        What came in is the server's farewell, or an answer that nobody asked for. Looking costs
        a third of a microsecond; not looking is how requests get lost on connections long closed.
        """
        if not self.alive or now >= self.idle_until:
            return False
        return self._poll is None or not self._poll.poll(0)

    async def exchange(
        self,
        head: bytes,
        body: bytes,
        deadline: float,
        *,
        bodiless: bool = False,
        streamed: bool = False,
        held: int = 0,
    ) -> Response:
        """Sends one request; resolves with a whole answer, or with the head of a stream.

        `deadline` is in the loop's time, and ends where a stream begins. An answer of more than
        `held` bytes, unless that is 0, becomes one.
        """
        if self._transport is None:
            raise HttpFailed("the connection was never made")
        answer = self._answer = Answer(
            held or self._most, bodiless=bodiless, streamed=streamed, spills=held > 0
        )
        if len(body) < JOINED:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._transport.write(body)
        await self._wait(answer, deadline, "no answer in time")
        if answer.failure and not (answer.streamed and answer.started):
            raise answer.failure
        return Response(answer, self)

    async def next_chunk(self, answer: Answer, idle: float) -> bytes:
        """The next bytes of a stream, empty at its end. One reader at a time."""
        self._reader_came(answer)
        if not (answer.waiting or answer.complete or answer.failure):
            await self._wait(answer, self._loop.time() + idle, "the stream fell silent")
        if answer.waiting:
            chunk = answer.take()
            if not answer.complete:
                self._await_reader(answer)
            return chunk
        if answer.failure:
            raise answer.failure
        return b""

    def leave(self, answer: Answer) -> None:
        """The caller is done with the answer."""
        self._reader_came(answer)
        if not answer.complete and not answer.failure:
            answer.failure = HttpFailed("the stream was left", sent=True)
            self.abort()

    def fail(self, failure: HttpFailed) -> None:
        """Ends the exchange in progress, if one is, and the connection."""
        answer = self._answer
        if answer and not answer.complete and not answer.failure:
            answer.failure = failure
        self._wake()
        self.abort()

    def abort(self) -> None:
        """Ends the connection at once: nothing that is worth flushing is ever left on it."""
        self._ended = True
        if self._transport:
            self._transport.abort()

    # waiting

    async def _wait(self, answer: Answer, when: float, late: str) -> None:
        """Until the exchange gets further, or fails. A timer and a future: no task, no context."""
        waiter = self._waiter = self._loop.create_future()
        timer = self._loop.call_at(when, self._late, waiter, late)
        try:
            await waiter
        except asyncio.CancelledError:
            # A complete answer has given the connection back, and it may be somebody else's.
            self.leave(answer)
            raise
        finally:
            timer.cancel()

    def _late(self, waiter: asyncio.Future[None], message: str) -> None:
        if not waiter.done():
            self.fail(HttpTimedOut(message, sent=True))

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter and not waiter.done():
            waiter.set_result(None)

    def _await_reader(self, answer: Answer) -> None:
        """Reads on, and bounds how long the next chunk may wait for its reader."""
        self._reader_timer = self._loop.call_later(UNREAD, self._unread, answer)
        if self._paused and answer.waiting < STREAM_WINDOW and self._transport and self.alive:
            self._paused = False
            self._transport.resume_reading()

    def _reader_came(self, answer: Answer) -> None:
        if self._reader_timer and answer is self._answer:
            self._reader_timer.cancel()

    def _unread(self, answer: Answer) -> None:
        if answer is self._answer and not answer.complete:
            self.fail(HttpTimedOut("nobody reads the stream", sent=True))

    # what the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are streams without being asyncio's own class.
        self._transport = cast("asyncio.Transport", transport)
        if socket := transport.get_extra_info("socket"):
            self._poll = select.poll()
            self._poll.register(socket.fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        answer = self._answer
        if answer is None or answer.complete or answer.failure:
            self.abort()
            return
        flowing = answer.started and answer.streamed
        try:
            answer.feed(data)
        except HttpFailed as failure:
            self.fail(failure)
            return
        if answer.complete:
            self._release(answer)
        elif answer.streamed and answer.started:
            self._streaming(answer, first=not flowing)

    def _streaming(self, answer: Answer, *, first: bool) -> None:
        if first:
            self._await_reader(answer)
        if answer.waiting >= STREAM_WINDOW and self._transport and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        if first or answer.waiting:
            self._wake()

    def _release(self, answer: Answer) -> None:
        """The answer is whole: lets the connection serve another request, if it can."""
        transport = self._transport
        # A server that answers before it has read everything has its own idea of what follows.
        if transport is None or not answer.reusable or transport.get_write_buffer_size():
            self.abort()
        else:
            if self._paused:
                self._paused = False
                transport.resume_reading()
            self.idle_until = self._loop.time() + kept(answer.headers)
            self._owner.released(self)
        self._wake()

    def eof_received(self) -> None:
        """The one good end of an answer without a length: a lost connection might cut it short."""
        self._ended = True
        if self._answer and not self._answer.failure and self._said_farewell():
            try:
                self._answer.end()
            except HttpFailed as failure:
                self._answer.failure = failure
            self._wake()

    def _said_farewell(self) -> bool:
        """Whether TLS, where there is some, ended with its own close_notify (RFC 9112, 9.8).

        uvloop calls `eof_received` for nothing less; asyncio for a bare end of the TCP stream.
        """
        secured = self._transport and self._transport.get_extra_info("ssl_object")
        if not secured:
            return True
        try:
            return bool(secured.read(1) == b"")
        except ssl.SSLZeroReturnError:
            return True
        except ssl.SSLError:
            return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's own
        self.fail(HttpFailed("the connection was lost before the answer was whole", sent=True))
        self._owner.lost(self)
        if not self.gone.done():
            self.gone.set_result(None)


def kept(headers: Mapping[str, str]) -> float:
    """Seconds to keep a connection: a second fewer than its server does, at most IDLE."""
    hint = headers.get("keep-alive")
    said = _KEPT.search(hint) if hint else None
    return max(0.0, min(IDLE, int(said[1]) - 1.0)) if said else UNTOLD
