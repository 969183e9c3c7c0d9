"""HTTP/1.1 for the callers: one connection, its requests in their order, each within bounds.

uvicorn listens, counts and stops; this stands in the place of its own protocol, which bounds
neither heads nor slow callers, and writes the head of an answer and its body apart (ADR 0028).
RFC 9112.
"""

import asyncio
import logging
import socket
import struct
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from math import inf
from typing import Any, Final, cast

import httptools
from uvicorn import Config
from uvicorn.server import ServerState

from mcp_gateway.edge import http_head, room
from mcp_gateway.edge.asgi import Pairs
from mcp_gateway.edge.http_exchange import Exchange
from mcp_gateway.edge.http_head import Lines
from mcp_gateway.edge.http_request import Addresses, RequestHead, TooLargeError
from mcp_gateway.edge.patience import Patience, unread

log = logging.getLogger(__name__)

MOST_HEAD: Final = 64 * 1024
"""Bytes of a request's head, and of what follows a chunked body."""
IDLE: Final = 75.0
"""Seconds that a connection is kept without a request."""
SLOW_HEAD: Final = 10.0
"""Seconds that a head may take."""
SLOW_BODY: Final = 60.0
"""Seconds that a body may take."""
STUCK: Final = 60.0
"""Seconds that a caller may read nothing of what waits for it."""
FAREWELL: Final = 2.0
"""Seconds for a refused caller to read why, before the connection ends."""
MOST_WAITING: Final = 64
"""Requests that wait behind the one in progress."""
HIGH_WATER: Final = 256 * 1024
"""Bytes of answers that wait for the network before their calls do."""

_LINES: Final = Lines()
_RESET: Final = struct.pack("ii", 1, 0)


class Http1(asyncio.Protocol):
    """One connection of a caller. Everything here happens on its event loop."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],  # noqa: ARG002  # uvicorn's own
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        patience: Patience,
    ) -> None:
        self._app = cast("Callable[..., Any]", config.loaded_app)
        self._state = server_state
        self._patience = patience
        self._loop = _loop or asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._addresses: Addresses = (None, None, "http")
        self._since = 0.0
        self._unsent = 0
        self._held = False
        self._leaving = False  # no request after the one in progress
        self._deaf = False  # nothing more is read
        self._in_head = self._moved = False
        self._size = self._begun = self._unseen = 0
        self._asked = RequestHead()
        self._arriving: Exchange | None = None
        self._current: Exchange | None = None
        self._waiting: deque[Exchange] = deque()
        self.writable: asyncio.Event | None = None

    # what the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are streams without being asyncio's own class.
        made = self._transport = cast("asyncio.Transport", transport)
        made.set_write_buffer_limits(high=HIGH_WATER)
        connections = cast("set[Any]", self._state.connections)
        connections.add(self)
        if not room.made(connections, self):
            self._abort()
            return
        self._patience.watch(self._loop, lambda: connections)
        self._since = self._patience.now
        info = made.get_extra_info
        scheme = "https" if info("sslcontext") else "http"
        self._addresses = (_address(info("sockname")), _address(info("peername")), scheme)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        self._size, self._moved = len(data), False
        self._feed(data)
        if (self._in_head or self._arriving) and not self._moved:
            self._count(len(data))

    def eof_received(self) -> None:
        """A caller that will not say more is taken to be gone."""

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's own
        cast("set[Any]", self._state.connections).discard(self)
        self._deaf = self._leaving = True
        self._transport = None
        self.resume_writing()
        self._drop()
        if self._current:
            self._current.lose()

    def pause_writing(self) -> None:
        self.writable = asyncio.Event()

    def resume_writing(self) -> None:
        if self.writable is not None:
            self.writable.set()
            self.writable = None

    # what uvicorn and the clock call

    def idle_since(self) -> float | None:
        return None if self._current or self._deaf else self._since

    def shutdown(self) -> None:
        """Ends the connection, with the answer in progress if there is one."""
        self._leaving = True
        self._drop()
        if self._current is None:
            self._close()

    def tick(self, now: float) -> None:
        """Ends what has taken too long."""
        unsent = unread(self._transport) if self._transport else 0
        if unsent != self._unsent:
            self._unsent, self._since = unsent, now
        bound, end = self._bound(unsent)
        if now - self._since > bound:
            end()

    def _bound(self, unsent: int) -> tuple[float, Callable[[], None]]:
        """How long what happens now may take, and what happens after that."""
        if unsent:
            return STUCK, self._abort
        if self._deaf:
            return inf if self._current else FAREWELL, self._abort
        if self._held:
            return inf, self._abort  # it is the caller who waits
        if self._in_head:
            return SLOW_HEAD, self._late
        if self._arriving:
            return SLOW_BODY, self._late
        return inf if self._current else IDLE, self._close

    # what the parser calls

    def on_message_begin(self) -> None:
        self._in_head, self._moved = True, True
        self._begun, self._unseen = self._size, 0
        self._asked = RequestHead()
        self._since = self._patience.now

    def on_url(self, url: bytes) -> None:
        self._asked.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # else it is a trailer: whatever it says, nothing was checked by it
            self._asked.add(name, value, self._parser.get_http_version())

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self._leaving:
            return
        parser, asked = self._parser, self._asked
        if self._begun + self._unseen + self._size > MOST_HEAD and asked.size > MOST_HEAD:
            raise TooLargeError
        if parser.should_upgrade():
            return  # see _decline
        version = parser.get_http_version()
        scope = asked.scope(version, parser.get_method(), self._addresses)
        keep = version == "1.1" and parser.should_keep_alive()
        made = Exchange(self, scope, keep=keep, expects=asked.expects)
        self._unseen = 0
        if self._current is None:
            self._begin(made)
        elif len(self._waiting) < MOST_WAITING:
            self._waiting.append(made)
            self.hold()
        else:
            raise ValueError("too many requests at once")
        self._arriving = made

    def on_body(self, body: bytes) -> None:
        self._moved, self._unseen = True, 0
        if self._arriving:
            self._arriving.feed(body)

    def on_message_complete(self) -> None:
        if self._arriving:
            self._arriving.end()
            self._arriving = None

    # what an exchange calls

    def write(self, data: bytes) -> None:
        if self._transport:
            self._transport.write(data)

    def head(self, exchange: Exchange, status: int, pairs: Pairs) -> bytes:
        framing = exchange.framing
        framing.close = framing.close or (self._leaving and not self._waiting)
        chunks = exchange.scope["http_version"] == "1.1"
        default = self._state.default_headers
        return http_head.head(_LINES, default, status, pairs, framing, chunks=chunks)

    def want(self) -> None:
        if self._held and self._transport and not self._transport.is_closing():
            self._held = False
            self._since = self._patience.now
            self._transport.resume_reading()

    def hold(self) -> None:
        if not self._held and self._transport:
            self._held = True
            self._transport.pause_reading()

    def answered(self, exchange: Exchange) -> None:
        """The next request, if one waits and the connection goes on."""
        if exchange is not self._current:
            return
        self._since = self._patience.now
        self._current = None
        if self._waiting and not exchange.framing.close:
            self._begin(self._waiting.popleft())
        elif not (self._leaving or exchange.framing.close):
            self.want()
        elif self._arriving is exchange:
            self._farewell()
        else:
            self._close()

    def ended(self, exchange: Exchange, task: asyncio.Task[None]) -> None:
        """The application returned: with a whole answer, or there is none."""
        self._state.tasks.discard(task)
        failure = None if task.cancelled() else task.exception()
        if failure:
            log.error("answering a request failed", exc_info=failure)
        if exchange.answered or exchange.gone:
            return
        if exchange.started:
            self._abort()  # so that nobody takes a part for the whole
        else:
            self._fail(exchange, 500)

    # within

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._decline(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            self._refuse(431 if isinstance(error.__context__, TooLargeError) else 400)

    def _decline(self, rest: bytes) -> None:
        """Reads a request to upgrade as if it had not asked: the parser leaves its body unread."""
        method, version = self._parser.get_method(), self._parser.get_http_version()
        if method == b"CONNECT":
            self._refuse(400)
            return
        self._parser = httptools.HttpRequestParser(self)
        self._feed(self._asked.without_upgrade(version, method) + rest)

    def _begin(self, exchange: Exchange) -> None:
        self._current = exchange
        task = self._loop.create_task(self._app(exchange.scope, exchange.receive, exchange.send))
        self._state.tasks.add(task)
        task.add_done_callback(exchange.ended)

    def _count(self, size: int) -> None:
        """Counts what arrives and belongs to no body: parts of a head, of a trailer, of chunks."""
        self._unseen += size
        if self._unseen > MOST_HEAD:
            self._refuse(431)

    def _refuse(self, status: int) -> None:
        """Reads no more, and says why unless there is an answer that is owed, or was given."""
        if self._deaf:
            return
        current, arriving = self._current, self._arriving
        self._leaving = self._deaf = True
        if current and current is not arriving:
            if arriving:  # the last of those that wait; the others are answered
                self._waiting.pop().lose()
                self._arriving = None
        elif current:
            self._fail(current, status)
        elif arriving:
            self._farewell()
        else:
            self._say(status)

    def _fail(self, exchange: Exchange, status: int) -> None:
        """Gives up the request in progress, and those behind it."""
        exchange.lose()
        self._current = None
        self._drop()
        if exchange.started:
            self._abort()
        else:
            self._say(status)

    def _drop(self) -> None:
        """Forgets the requests that nobody has begun to answer."""
        if self._arriving is not self._current:
            self._arriving = None
        for exchange in self._waiting:
            exchange.lose()
        self._waiting.clear()

    def _late(self) -> None:
        self._refuse(408)

    def _say(self, status: int) -> None:
        """A whole answer, and the last."""
        body = b'{"error":"%b"}' % http_head.STATUS[status][13:-2]
        lines = b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body)
        self.write(http_head.STATUS[status] + lines + b"connection: close\r\n\r\n" + body)
        self._farewell()

    def _farewell(self) -> None:
        """Says no more, and leaves time to read: closing at once could take back what was said."""
        self._deaf = self._leaving = True
        self._since = self._patience.now
        self.want()  # what still arrives is dropped, so that its sender comes to reading
        if self._transport and self._transport.can_write_eof():
            with suppress(OSError):  # gone meanwhile
                self._transport.write_eof()

    def _close(self) -> None:
        self._deaf = self._leaving = True
        self._since = self._patience.now
        self._drop()
        if self._transport:
            self._transport.close()

    def _abort(self) -> None:
        """Cuts the connection: a plain end would end some answers that are not whole."""
        self._deaf = self._leaving = True
        if self._transport:
            with suppress(OSError):  # gone meanwhile
                at_once = self._transport.get_extra_info("socket")
                at_once.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._transport.abort()


def protocol() -> type[asyncio.Protocol]:
    """What uvicorn makes for each connection of one server: `http=protocol()`."""
    return cast("type[asyncio.Protocol]", partial(Http1, patience=Patience()))


def _address(found: Any) -> tuple[str, int] | None:
    """Host and port of a socket's name; nothing for a socket that has none."""
    return (str(found[0]), int(found[1])) if isinstance(found, tuple | list) else None
