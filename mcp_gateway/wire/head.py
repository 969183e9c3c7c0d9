"""Request heads: nothing in a name, a value or a method can start another line."""

import re
from collections.abc import Sequence
from typing import Final

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
METHODS: Final = _WITH_BODY | {"GET", "HEAD", "DELETE", "OPTIONS"}
_REMEMBERED: Final = 1024
_LONGEST: Final = 256

RESERVED: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that say how a message is framed or where it goes: the client's alone to set."""


class Heads:
    """Makes request heads, and remembers the headers that it found good."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], bytes] = {}

    def head(
        self, method: str, line: bytes, headers: Sequence[tuple[str, str]], length: int
    ) -> bytes:
        """The head of a request. `line` is what follows the method, up to the last own header.

        Raises ValueError for a method, a name or a value that no head can hold, and for a
        header that is the client's to set.
        """
        if method not in METHODS:
            raise ValueError(f"{method!r} is no method that the client sends")
        known = self._known
        parts = [method.encode(), b" ", line]
        parts += [known.get(header) or self._checked(*header) for header in headers]
        if length or method in _WITH_BODY:
            parts.append(b"\r\ncontent-length: %d" % length)
        parts.append(b"\r\n\r\n")
        return b"".join(parts)

    def _checked(self, name: str, value: str) -> bytes:
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"the header name {name!r} holds characters that no name has")
        if name.lower() in RESERVED:
            raise ValueError(f"the header {name!r} is not the caller's to set")
        whole = f"\r\n{name}: ".encode() + encoded(name, value)
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        if len(value) <= _LONGEST:
            self._known[name, value] = whole
        return whole


def encoded(name: str, value: str) -> bytes:
    """The bytes of a value. Raises ValueError, without repeating a value that may be secret."""
    if value.isascii() and value.isprintable():  # the common case, ten times as fast
        return value.encode()
    if not _VALUE.fullmatch(value):
        raise ValueError(f"the value of {name!r} holds characters that no header has")
    return value.encode("latin-1")
