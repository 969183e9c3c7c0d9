"""The head of an HTTP/1.1 request as it arrives: its target and its headers, within bounds."""

import re
import urllib.parse
from typing import Any, Final

import httptools

from mcp_gateway.edge.asgi import Scope

MOST_HEADERS: Final = 256
VERSIONS: Final = frozenset({"1.0", "1.1"})

_ASGI: Final = {"version": "3.0", "spec_version": "2.3"}
_PLAIN: Final = rb"[0-9A-Za-z._~!$&'()*+,;=-]"
_HOST: Final = re.compile(
    rb"(?:\[(?:%b|:)+\]|(?=[^:])%b*(?:%%[0-9A-Fa-f]{2}%b*)*)(?::[0-9]*)?" % (_PLAIN, _PLAIN, _PLAIN)
)
"""RFC 3986: an address in brackets or a name that is not empty, and a port."""
_HOP: Final = frozenset({b"connection", b"upgrade"})
_REQUEST_LINE: Final = 16
"""Bytes of a request line beside its target, about."""

Addresses = tuple[Any, Any, str]
"""Of the server and of the caller, and the scheme."""


class TooLargeError(ValueError):
    """More of a head than is read."""


class RequestHead:
    """What the parser found so far."""

    __slots__ = ("expects", "headers", "named", "url")

    def __init__(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.expects = False
        """Whether the caller waits for a word before it sends the body."""
        self.named = False
        """Whether it says whom it is for."""

    @property
    def size(self) -> int:
        """Bytes on the wire, at least."""
        pairs = sum(len(name) + len(value) + 4 for name, value in self.headers)
        return _REQUEST_LINE + len(self.url) + pairs

    def add(self, name: bytes, value: bytes, version: str) -> None:
        """Raises ValueError for a header that cannot be answered for, or one too many."""
        if len(self.headers) >= MOST_HEADERS:
            raise TooLargeError
        name, value = name.lower(), value.rstrip(b" \t")
        self.headers.append((name, value))
        if name == b"host":
            if self.named or not _HOST.fullmatch(value):
                raise ValueError("not one host")
            self.named = True
        elif name == b"expect":
            self.expects = version == "1.1" and value.lower() == b"100-continue"
        elif name == b"transfer-encoding" and (value.lower() != b"chunked" or version != "1.1"):
            # Another coding would be taken for the body itself, and 1.0 knows none.
            raise ValueError("another transfer coding")

    def scope(self, version: str, method: bytes, addresses: Addresses) -> Scope:
        """Raises ValueError for a version or a target that is none, and in 1.1 without a host."""
        if version not in VERSIONS:
            raise ValueError("another HTTP")
        if not self.named and version != "1.0":
            raise ValueError("no host")
        url = None if self.url == b"*" else httptools.parse_url(self.url)
        raw = url.path if url else b"*"
        if raw is None:
            raise ValueError("a target without a path")
        path = raw.decode("ascii")
        server, client, scheme = addresses
        return {
            "type": "http",
            "asgi": _ASGI,
            "http_version": version,
            "server": server,
            "client": client,
            "scheme": scheme,
            "root_path": "",
            "method": method.decode("ascii"),
            "path": urllib.parse.unquote(path) if "%" in path else path,
            "raw_path": raw,
            "query_string": (url.query if url else None) or b"",
            "headers": self.headers,
        }

    def without_upgrade(self, version: str, method: bytes) -> bytes:
        """The same head of a caller that wishes for no other protocol, and for the end after it."""
        first = b"%b %b HTTP/%b" % (method, self.url, version.encode())
        kept = [b"%b: %b" % pair for pair in self.headers if pair[0] not in _HOP]
        return b"\r\n".join([first, *kept, b"connection: close", b"", b""])
