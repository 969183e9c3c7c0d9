"""A forward proxy: told the absolute URL for http, and to CONNECT for https (RFC 9110, 9.3.6)."""

import asyncio
import base64
from typing import Final
from urllib.parse import unquote, urlsplit

from mcp_gateway.wire import url
from mcp_gateway.wire.answer import Answer
from mcp_gateway.wire.failures import HttpFailed

DEFAULT_PORT: Final = 3128


class Proxy:
    """The proxy of a configuration, and the credentials that it wants."""

    def __init__(self, address: str) -> None:
        """Raises ValueError for a URL that no proxy has, without repeating what may be secret."""
        parts = urlsplit(address)
        if parts.scheme not in url.PORTS or not parts.hostname or parts.path not in ("", "/"):
            raise ValueError("the proxy is not an http or https URL with a host and a port")
        self.secure = parts.scheme == "https"
        self.host = parts.hostname
        self.port = parts.port or DEFAULT_PORT
        self.header = _authorization(parts.username, parts.password)
        """The header that shows the credentials, with its line end before it, or nothing."""

    def connect(self, origin: url.Origin) -> bytes:
        """The request for a tunnel."""
        where = origin.authority.encode()
        return b"CONNECT %b HTTP/1.1\r\nhost: %b%b\r\n\r\n" % (where, where, self.header)


class Tunnel(asyncio.Protocol):
    """Asks a proxy for a tunnel. The transport then belongs to whoever speaks through it."""

    def __init__(self) -> None:
        self._answer = Answer(0, bodiless=True)
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def ask(self, transport: asyncio.Transport, request: bytes) -> None:
        """Raises HttpFailed when there is no tunnel. Its caller bounds the wait."""
        transport.write(request)
        await self._opened
        if self._answer.failure:
            raise self._answer.failure
        status = self._answer.status
        if status == 407:
            raise HttpFailed("the proxy does not take the credentials in [network] proxy")
        if not 200 <= status < 300:
            raise HttpFailed(f"the proxy refuses a tunnel with status {status}")

    def data_received(self, data: bytes) -> None:
        answer = self._answer
        try:
            answer.feed(data)
        except HttpFailed as failure:
            self._end(HttpFailed(f"the proxy: {failure}"))
            return
        if answer.trailing:
            self._end(HttpFailed("the proxy speaks in the tunnel"))
        elif answer.complete:
            self._end(None)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's own
        self._end(HttpFailed("the proxy hung up"))

    def _end(self, failure: HttpFailed | None) -> None:
        if not self._opened.done():
            self._answer.failure = failure
            self._opened.set_result(None)


def _authorization(username: str | None, password: str | None) -> bytes:
    if not username:
        return b""
    pair = f"{unquote(username)}:{unquote(password or '')}"
    return b"\r\nproxy-authorization: Basic " + base64.b64encode(pair.encode())
