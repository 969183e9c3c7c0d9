"""Makes connections: straight to a checked address, or through the proxy."""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from mcp_gateway.wire import address, tls
from mcp_gateway.wire.connection import Connection
from mcp_gateway.wire.failures import HttpFailed, HttpTimedOut
from mcp_gateway.wire.network import Network
from mcp_gateway.wire.proxy import Proxy, Tunnel
from mcp_gateway.wire.url import Origin

TRIED: Final = 6
"""Addresses of a name that are tried, one after the other."""

Make = Callable[[], Connection]
Lookup = Callable[[str, int], Awaitable[Sequence[str]]]


async def addresses(host: str, port: int) -> Sequence[str]:
    """What the system's resolver says of a name, in its order. Raises OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(where[0]) for *_, where in found))


class Dialer:
    """Connects as a Network says. Names are looked up here only, never for a kept connection."""

    def __init__(self, network: Network, timeout: float, lookup: Lookup = addresses) -> None:
        """`timeout`: seconds for all of it. Raises ValueError for a network that cannot be."""
        self._reach = address.Reach(network.private, loopback=network.loopback)
        self._tls = tls.context(network)
        self._proxy = Proxy(network.proxy) if network.proxy else None
        self._timeout = timeout
        self._lookup = lookup

    def proxy_of(self, origin: Origin) -> Proxy | None:
        """The proxy on the way. There is none to this machine: the proxy's would be another."""
        return None if address.here(origin.host) else self._proxy

    async def dial(self, origin: Origin, make: Make, deadline: float) -> Connection:
        """A connection with TLS done, before `deadline` in the loop's time. Raises HttpFailed."""
        bound = min(deadline, asyncio.get_running_loop().time() + self._timeout)
        proxy = self.proxy_of(origin)
        try:
            async with asyncio.timeout_at(bound):
                if proxy:
                    return await self._through(proxy, origin, make)
                return await self._straight(origin, make, bound)
        except TimeoutError:
            raise HttpTimedOut(f"no connection to {origin.host} in time") from None
        except OSError as error:
            raise HttpFailed(f"no connection to {origin.host}: {tls.reason(error)}") from None

    async def _straight(self, origin: Origin, make: Make, bound: float) -> Connection:
        """Connects to exactly the addresses that were checked: a second look-up could differ.

        One forbidden address is enough to refuse a name: it is how rebinding begins.
        """
        literal = address.literal(origin.host)
        found = [str(literal)] if literal else await self._lookup(origin.host, origin.port)
        for text in found:
            self._reach.check(ipaddress.ip_address(text.partition("%")[0]))
        tried = list(found[:TRIED])
        loop = asyncio.get_running_loop()
        while len(tried) > 1:
            share = (bound - loop.time()) / len(tried)
            try:
                async with asyncio.timeout(share):
                    return await self._connected(tried.pop(0), origin, make)
            except OSError:
                continue  # The next address may do better; of the last one the caller hears.
        if not tried:
            raise HttpFailed(f"{origin.host} has no address")
        return await self._connected(tried[0], origin, make)

    async def _connected(self, where: str, origin: Origin, make: Make) -> Connection:
        secure = origin.scheme == "https"
        _, connection = await asyncio.get_running_loop().create_connection(
            make,
            where,
            origin.port,
            ssl=self._tls if secure else None,
            server_hostname=certified(origin) if secure else None,
        )
        return connection

    async def _through(self, proxy: Proxy, origin: Origin, make: Make) -> Connection:
        """By the proxy, which resolves names itself; what is an address already is checked."""
        literal = address.literal(origin.host)
        if literal:
            self._reach.check(literal)
        loop = asyncio.get_running_loop()
        context = self._tls if proxy.secure else None
        if origin.scheme == "http":
            _, plain = await loop.create_connection(make, proxy.host, proxy.port, ssl=context)
            return plain
        transport, tunnel = await loop.create_connection(
            Tunnel, proxy.host, proxy.port, ssl=context
        )
        try:
            await tunnel.ask(transport, proxy.connect(origin))
            return await self._secured(transport, origin, make())
        except BaseException:
            transport.abort()
            raise

    async def _secured(
        self, transport: asyncio.Transport, origin: Origin, connection: Connection
    ) -> Connection:
        upgraded = await asyncio.get_running_loop().start_tls(
            transport, connection, self._tls, server_hostname=certified(origin)
        )
        if upgraded is None:
            raise HttpFailed(f"no TLS with {origin.host}")
        # Of a transport that was upgraded the protocol is not told.
        connection.connection_made(upgraded)
        return connection


def certified(origin: Origin) -> str:
    """The name that the certificate must be for."""
    return origin.host.removesuffix(".")
