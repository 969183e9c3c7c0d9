"""Host and Origin: a browser's page must not reach a gateway that its user can (DNS rebinding)."""

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from mcp_gateway.edge.asgi import Headers, HttpError

_LOCAL: Final = ("127.0.0.1", "localhost", "[::1]")


class Origins:
    """What the gateway is called, and which pages may call it."""

    def __init__(
        self, public: str, listen: str, hosts: Iterable[str], origins: Iterable[str]
    ) -> None:
        port = listen.rpartition(":")[2]
        named = {urlsplit(public).netloc, listen, *hosts}
        if listen.rpartition(":")[0].strip("[]") in ("127.0.0.1", "localhost", "::1"):
            named |= {f"{host}:{port}" for host in _LOCAL}
        self._hosts = {host.lower().encode() for host in named}
        pages = {f"http://{host}" for host in named} | {f"https://{host}" for host in named}
        self._origins = {page.lower().encode() for page in pages | set(origins)}

    def check(self, headers: Headers) -> None:
        """Raises HttpError: 421 for another host, 403 for a page of another origin."""
        if headers.get(b"host", b"").lower() not in self._hosts:
            raise HttpError(421, "this gateway has another name: see [gateway] url and hosts")
        origin = headers.get(b"origin")
        if origin is not None and origin.lower() not in self._origins:
            raise HttpError(403, "pages of this origin may not call: see [gateway] origins")
