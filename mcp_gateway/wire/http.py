"""The pooled HTTP/1.1 client on the path of a call: no redirects, no cookies, no decoding."""

import asyncio
import base64
import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from mcp_gateway.wire import address
from mcp_gateway.wire.connection import Connection, Response
from mcp_gateway.wire.failures import HttpFailed, HttpTimedOut

MOST: Final = 8 * 1024 * 1024
CONNECT_TIMEOUT: Final = 5.0
WAIT: Final = 5.0
"""Seconds that a request waits for a free connection."""

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_TARGET: Final = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Network:
    """How the gateway reaches others. `ca` and the client certificate are paths of PEM files.

    `private` lists blocks (CIDR) that are allowed though not public; `loopback` allows this
    machine. With a `proxy` the proxy resolves names, so only literal addresses are checked.
    """

    proxy: str = ""
    ca: tuple[str, ...] = ()
    certificate: str = ""
    key: str = ""
    private: tuple[str, ...] = ()
    loopback: bool = False


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a connection goes."""

    scheme: str
    host: str
    port: int


class Pool:
    """The idle connections of one origin, the youngest used first, and a bound on all."""

    def __init__(self, most: int) -> None:
        self.idle: list[Connection] = []
        self.places = asyncio.Semaphore(most)


class HttpClient:
    """One for the whole process; building one per call is what makes gateways slow."""

    def __init__(self, network: Network, *, most: int = MOST, connections: int = 128) -> None:
        self._network = network
        self._allowed = address.blocks(network.private)
        self._most = most
        self._connections = connections
        self._pools: dict[Origin, Pool] = {}
        self._parsed: dict[str, tuple[Origin, bytes]] = {}
        self._tls = _tls(network)
        self._proxy = urlsplit(network.proxy) if network.proxy else None

    async def request(
        self,
        method: str,
        url: str,
        headers: Sequence[tuple[str, str]],
        body: bytes = b"",
        *,
        timeout: float,
    ) -> Response:
        """Sends one request within `timeout` seconds; the answer to come back at `Response`.

        Raises HttpFailed (HttpTimedOut, TooLarge, AddressRefused), and ValueError for a URL or
        a header that no request can hold.
        """
        origin, target = self._split(url)
        head = _head(method, target, headers, len(body))
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = Pool(self._connections)
        if pool.places.locked():
            await _place(pool)
        else:
            await pool.places.acquire()
        try:
            return await self._exchange(pool, origin, head, body, timeout)
        finally:
            pool.places.release()

    async def _exchange(
        self, pool: Pool, origin: Origin, head: bytes, body: bytes, timeout: float
    ) -> Response:
        while pool.idle:
            connection = pool.idle.pop()
            if connection.usable:
                return await connection.exchange(head, body, timeout)
        connection = await self._connect(origin, pool)
        return await connection.exchange(head, body, timeout)

    async def aclose(self) -> None:
        """Closes what is idle. Requests in flight keep their connections to their end."""
        for pool in self._pools.values():
            while pool.idle:
                pool.idle.pop().close()

    def _split(self, url: str) -> tuple[Origin, bytes]:
        known = self._parsed.get(url)
        if known is None:
            known = _origin(url, absolute=self._proxy is not None)
            if len(self._parsed) < 1024:
                self._parsed[url] = known
        return known

    async def _connect(self, origin: Origin, pool: Pool) -> Connection:
        connection = Connection(self._most, pool.idle.append)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                if self._proxy:
                    await self._through(self._proxy, origin, connection)
                else:
                    await self._straight(origin, connection)
        except TimeoutError:
            raise HttpTimedOut(f"no connection to {origin.host} in time") from None
        except OSError as error:
            raise HttpFailed(f"no connection to {origin.host}: {error.strerror or error}") from None
        return connection

    async def _straight(self, origin: Origin, connection: Connection) -> None:
        """Connects to exactly the address that was checked: a second look-up could differ."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(origin.host, origin.port, type=1)
        for *_, where in found:
            self._check(str(where[0]))
        secure = origin.scheme == "https"
        await loop.create_connection(
            lambda: connection,
            str(found[0][4][0]),
            origin.port,
            ssl=self._tls if secure else None,
            server_hostname=origin.host if secure else None,
        )

    async def _through(self, proxy: SplitResult, origin: Origin, connection: Connection) -> None:
        self._check_literal(origin.host)
        loop = asyncio.get_running_loop()
        host, port = proxy.hostname or "", proxy.port or 3128
        if origin.scheme == "http":
            await loop.create_connection(lambda: connection, host, port)
            return
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(_connect_request(proxy, origin))
        answer = await reader.readuntil(b"\r\n\r\n")
        if answer.split(b" ", 2)[1:2] != [b"200"]:
            writer.close()
            raise HttpFailed(f"the proxy refuses to connect to {origin.host}")
        transport = await loop.start_tls(
            writer.transport, connection, self._tls, server_hostname=origin.host
        )
        if transport is None:
            raise HttpFailed(f"no TLS with {origin.host}")
        connection.connection_made(transport)

    def _check(self, text: str) -> None:
        address.check(text, self._allowed, loopback=self._network.loopback)

    def _check_literal(self, host: str) -> None:
        try:
            self._check(host)
        except ValueError:
            return


async def _place(pool: Pool) -> None:
    try:
        async with asyncio.timeout(WAIT):
            await pool.places.acquire()
    except TimeoutError:
        raise HttpTimedOut("every connection to the upstream is in use") from None


def _origin(url: str, *, absolute: bool) -> tuple[Origin, bytes]:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise ValueError(f"{url!r} is not an http or https URL without credentials")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    named = host if parts.port is None else f"{host}:{parts.port}"
    target = f"{parts.scheme}://{named}{path}" if absolute and parts.scheme == "http" else path
    if not _TARGET.fullmatch(target) or not _TARGET.fullmatch(named):
        raise ValueError(f"{url!r} holds characters that no URL has")
    line = f"{target} HTTP/1.1\r\nhost: {named}"
    return Origin(parts.scheme, parts.hostname, port), line.encode()


def _head(method: str, target: bytes, headers: Sequence[tuple[str, str]], length: int) -> bytes:
    lines = [f"{method} ".encode(), target]
    for name, value in headers:
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ValueError(f"the header {name!r} holds characters that no header has")
        lines.append(f"\r\n{name}: {value}".encode("latin-1"))
    if length or method in ("POST", "PUT", "PATCH"):
        lines.append(b"\r\ncontent-length: %d" % length)
    lines.append(b"\r\n\r\n")
    return b"".join(lines)


def _connect_request(proxy: SplitResult, origin: Origin) -> bytes:
    where = f"{origin.host}:{origin.port}"
    text = f"CONNECT {where} HTTP/1.1\r\nhost: {where}\r\n"
    if proxy.username:
        pair = base64.b64encode(f"{proxy.username}:{proxy.password or ''}".encode()).decode()
        text += f"proxy-authorization: Basic {pair}\r\n"
    return f"{text}\r\n".encode()


def _tls(network: Network) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    for path in network.ca:
        context.load_verify_locations(path)
    if network.certificate:
        context.load_cert_chain(network.certificate, network.key or None)
    return context
