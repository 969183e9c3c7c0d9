"""The head of an HTTP/1.1 answer: its bytes, and how its body is framed."""

import http
import re
from collections.abc import Iterable
from typing import Final

from mcp_gateway.edge.asgi import Pairs

BODILESS: Final = frozenset({204, 304})
REMEMBERED: Final = 512
"""Lines of heads that are kept: nearly all answers have the same."""

_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(rb"[^\x00-\x08\x0a-\x1f\x7f]*")
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding", b"connection"})


def _status_line(status: int) -> bytes:
    try:
        phrase = http.HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()


STATUS: Final = {status: _status_line(status) for status in range(100, 600)}


class Lines:
    """Header lines as bytes, checked once: what came from elsewhere cannot split an answer."""

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, bytes], bytes] = {}
        self._dated: Iterable[tuple[bytes, bytes]] = ()
        self._date = b""

    def line(self, pair: tuple[bytes, bytes]) -> bytes:
        """Raises ValueError for a name or a value that no head can hold."""
        known = self._known.get(pair)
        if known is not None:
            return known
        name, value = pair
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ValueError(f"not a header: {name!r}")
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        made = self._known[pair] = b"%b: %b\r\n" % (name.lower(), value)
        return made

    def default(self, pairs: Iterable[tuple[bytes, bytes]]) -> bytes:
        """The server's own lines: the same list until the second is over."""
        if pairs is not self._dated:
            self._date = b"".join(b"%b: %b\r\n" % pair for pair in pairs)
            self._dated = pairs
        return self._date


class Framing:
    """How the body of one answer ends: by its length, by chunks, or with the connection."""

    __slots__ = ("chunked", "close", "left")

    def __init__(self, *, keep: bool) -> None:
        self.close = not keep
        self.chunked = False
        self.left: int | None = None
        """Bytes that are still owed, of a body whose length was told."""

    def read(self, name: bytes, value: bytes) -> None:
        """Takes note of a header of the application that is about framing.

        Raises ValueError for a length that is none.
        """
        if name == b"content-length":
            if not value.isdigit():
                raise ValueError(f"not a length: {value!r}")
            self.left = int(value)
        elif name == b"connection" and b"close" in value.lower():
            self.close = True


def head(
    lines: Lines, default: Pairs, status: int, pairs: Pairs, framing: Framing, *, chunks: bool
) -> bytes:
    """The head, and `framing` as it says. `chunks`: whether the caller reads chunked bodies.

    Raises ValueError for a header that cannot be.
    """
    parts = [STATUS[status], lines.default(default)]
    for pair in pairs:
        if pair[0].lower() in _FRAMING:
            framing.read(pair[0].lower(), pair[1])
        else:
            parts.append(lines.line(pair))
    if status in BODILESS:
        framing.left = 0
    elif framing.left is not None:
        parts.append(b"content-length: %d\r\n" % framing.left)
    elif chunks:
        framing.chunked = True
        parts.append(b"transfer-encoding: chunked\r\n")
    else:
        framing.close = True
    if framing.close:
        parts.append(b"connection: close\r\n")
    parts.append(b"\r\n")
    return b"".join(parts)
