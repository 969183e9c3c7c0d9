"""Host and Origin: a browser's page must not reach a gateway that its user can (DNS rebinding)."""

import ipaddress
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import urlsplit

from mcp_gateway.edge.asgi import Headers, HttpError

_LOCAL: Final = ("127.0.0.1", "localhost", "[::1]")
_PORTS: Final = {"http": ":80", "https": ":443"}


class Origins:
    """What the gateway is called, and which pages may call it: its own, and those listed."""

    def __init__(
        self, public: str, listen: str, hosts: Iterable[str], origins: Iterable[str]
    ) -> None:
        parts = urlsplit(public.lower())
        named = {host.lower() for host in (parts.netloc, listen, *hosts) if host}
        at, _, port = listen.rpartition(":")
        local = {f"{host}:{port}" for host in _LOCAL if at in (*_LOCAL, "::1")}
        forms = {form for host in named | local for form in _forms(host, parts.scheme)}
        pages = {f"{parts.scheme}://{host}" for host in forms}
        pages |= {f"{scheme}://{host}" for scheme in _PORTS for host in local}
        self._hosts = frozenset(host.encode() for host in forms)
        self._origins = frozenset(page.lower().encode() for page in (*pages, *origins))

    def check(self, headers: Headers) -> None:
        """Raises HttpError: 421 for another host, 403 for a page of another origin."""
        if headers.get(b"host", b"").lower() not in self._hosts:
            raise HttpError(421, "this gateway has another name: see [gateway] url and hosts")
        origin = headers.get(b"origin")
        if origin is not None and origin.lower() not in self._origins:
            raise HttpError(403, "pages of this origin may not call: see [gateway] origins")

    def check_reader(self, headers: Headers) -> None:
        """The same for monitors, which also ask by address: no name can be rebound to that."""
        if b"origin" in headers or not _is_address(headers.get(b"host", b"").decode("latin-1")):
            self.check(headers)


def _forms(host: str, scheme: str) -> Iterator[str]:
    """With the scheme's own port and without it, a host is the same."""
    yield host
    port = _PORTS.get(scheme, "")
    if port and host.endswith(port):
        yield host.removesuffix(port)
    elif port and ":" not in host.rpartition("]")[2]:
        yield host + port


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False
    return True
