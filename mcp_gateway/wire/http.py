"""The pooled HTTP/1.1 client on the path of a call: no redirects, no cookies, no decoding."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from mcp_gateway.wire import dial
from mcp_gateway.wire.connection import Connection, Response
from mcp_gateway.wire.failures import (
    AddressRefused,
    HttpFailed,
    HttpTimedOut,
    TooLarge,
)
from mcp_gateway.wire.head import Heads
from mcp_gateway.wire.network import Network
from mcp_gateway.wire.pool import Dial, Pool
from mcp_gateway.wire.url import Origin, parse

__all__ = [
    "AddressRefused",
    "HttpClient",
    "HttpFailed",
    "HttpTimedOut",
    "Network",
    "Response",
    "TooLarge",
]

MOST: Final = 8 * 1024 * 1024
CONNECTIONS: Final = 128
CONNECT_TIMEOUT: Final = 5.0
REMEMBERED: Final = 1024
"""URLs whose parts are kept, and origins whose pools are."""

Route = tuple[Pool, bytes]
"""Where a request goes, and what its head says of that."""


class HttpClient:
    """One for the whole process; building one per call is what makes gateways slow.

    `most`: bytes of the largest whole answer. `connections`: at most so many to one origin.
    `connect_timeout`: seconds to look up, connect and agree on TLS. Raises ValueError for a
    network that cannot be.
    """

    def __init__(
        self,
        network: Network,
        *,
        most: int = MOST,
        connections: int = CONNECTIONS,
        connect_timeout: float = CONNECT_TIMEOUT,
        lookup: dial.Lookup = dial.addresses,
    ) -> None:
        self._dialer = dial.Dialer(network, connect_timeout, lookup)
        self._most = most
        self._connections = connections
        self.held = most
        """Bytes of an answer that may be passed on before it is whole, up to which it is held."""

        self._heads = Heads()
        self._pools: dict[Origin, Pool] = {}
        self._routes: dict[str, Route] = {}
        self._closed = False

    def request(
        self,
        method: str,
        url: str,
        headers: Sequence[tuple[str, str]],
        body: bytes = b"",
        *,
        timeout: float,
        spills: bool = False,
    ) -> Coroutine[Any, Any, Response]:
        """Sends one request; the answer is whole, or an event stream to be read, then closed.

        With `spills` an answer of more than `held` bytes, of any type, is a stream too.
        `timeout`: seconds until the answer is whole, or until a stream begins. Never sends
        twice. Raises HttpFailed (HttpTimedOut, TooLarge, AddressRefused), and ValueError for a
        URL or a header that no request can hold.
        """
        held = self.held if spills else 0
        return self._send(method, url, headers, body, timeout, held=held)

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        headers: Sequence[tuple[str, str]],
        body: bytes = b"",
        *,
        timeout: float,
    ) -> AsyncIterator[Response]:
        """The same, with an answer of any type as a stream. Leaving before its end closes it."""
        response = await self._send(method, url, headers, body, timeout, streamed=True)
        try:
            yield response
        finally:
            response.close()

    async def aclose(self) -> None:
        """Ends every connection; what is in flight fails. Waits for that a second at most."""
        self._closed = True
        self._routes.clear()
        await asyncio.gather(*(pool.aclose() for pool in self._pools.values()))

    async def _send(
        self,
        method: str,
        url: str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        timeout: float,
        *,
        streamed: bool = False,
        held: int = 0,
    ) -> Response:
        pool, line = self._routes.get(url) or self._route(url)
        head = self._heads.head(method, line, headers, len(body))
        now = asyncio.get_running_loop().time()
        deadline = now + timeout
        connection = pool.idle(now) or await pool.lease(deadline)
        return await connection.exchange(
            head, body, deadline, bodiless=method == "HEAD", streamed=streamed, held=held
        )

    def _route(self, text: str) -> Route:
        if self._closed:
            raise HttpFailed("the client is closed")
        self._forget()
        parts = parse(text)
        origin = parts.origin
        proxy = self._dialer.proxy_of(origin)
        target, header = parts.path, b""
        if proxy and origin.scheme == "http":
            target, header = parts.absolute, proxy.header
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = Pool(self._connections, self._dial(origin))
        line = f"{target} HTTP/1.1\r\nhost: {parts.named}".encode() + header
        route = self._routes[text] = (pool, line)
        return route

    def _dial(self, origin: Origin) -> Dial:
        async def to_origin(pool: Pool, deadline: float) -> Connection:
            return await self._dialer.dial(origin, lambda: Connection(pool, self._most), deadline)

        return to_origin

    def _forget(self) -> None:
        """Starts anew when too many URLs are remembered; pools that hold nothing go too."""
        if len(self._routes) < REMEMBERED:
            return
        self._routes.clear()
        for origin in [o for o, pool in self._pools.items() if pool.unused]:
            del self._pools[origin]
