"""The members of one JSON object that arrives in pieces, and is never held."""

import re
from collections.abc import Iterator
from enum import Enum
from typing import Final

from mcp_gateway.wire import jsonrpc

MOST: Final = 256
"""Members of the object itself; what is in them is not counted."""
LONGEST_NAME: Final = 1024

_OUTER: Final = re.compile(rb'["{}\[\],]')
_INNER: Final = re.compile(rb'["{}\[\]]')
_REST: Final = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_TEXT: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_WHOLE: Final = re.compile(rb'(?:[^"]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
"""As many whole texts, and what is between them, as there are."""
_BLOCK: Final = 4096
_OTHERS: Final = bytes(set(range(256)) - set(b"{}[]"))
_QUOTE, _ESCAPE, _COMMA, _END = b'"\\,}'
_CLOSING: Final = {b"{"[0]: b"}"[0], b"["[0]: b"]"[0]}

Part = tuple[str, bytes]


class _At(Enum):
    """What comes next."""

    START = "an object"
    FIRST = "a name, or the end"
    NEXT = "a name"
    NAME = "the rest of a name"
    COLON = "a colon"
    BEGIN = "a value"
    VALUE = "the rest of a value"
    DONE = "nothing more"


class Members:
    """Parts the object into pieces of its members, by looking at brackets and quotes alone.

    What stands between them is not looked at: a value that is no JSON comes out as one that is
    none. No name stands twice.
    """

    def __init__(self) -> None:
        self._at = _At.START
        self._name = bytearray()
        self._member = ""
        self._seen: set[str] = set()
        self._closing = bytearray()
        self._in_text = self._escaped = False

    @property
    def done(self) -> bool:
        """Whether the object is whole."""
        return self._at is _At.DONE

    def feed(self, data: bytes) -> Iterator[Part]:
        """The name of a member and a piece of its value, raw, for each that these bytes bring.

        Raises ValueError for what is no object.
        """
        at, end = 0, len(data)
        while at < end:
            if self._at is _At.VALUE:
                start, at = at, self._value(data, at)
                if start < at:
                    yield self._member, data[start:at]
                if at < end:
                    self._at = _At.NEXT if data[at] == _COMMA else _At.DONE
                    at += 1
            elif self._at is _At.NAME:
                at = self._named(data, at)
            else:
                at = self._between(data, at)

    def _between(self, data: bytes, at: int) -> int:
        """Takes the one character that may come here, and the space before it."""
        while at < len(data) and data[at] in b" \t\r\n":
            at += 1
        if at == len(data):
            return at
        if self._at is _At.BEGIN and data[at] not in b",:}]":
            self._at = _At.VALUE
            return at
        following = _FOLLOWING.get((self._at, data[at : at + 1]))
        if following is None:
            raise ValueError(f"expected {self._at.value}")
        self._at = following
        if following is _At.NAME:
            self._in_text = True
            self._name.clear()
        return at + 1

    def _named(self, data: bytes, at: int) -> int:
        """Reads a name to its end, or to the end of the data."""
        end = self._text(data, at)
        self._name += data[at:end]
        if len(self._name) > LONGEST_NAME:
            raise ValueError("a name is too long")
        if self._in_text:
            return end
        self._member = jsonrpc.decode(b'"' + self._name)
        if self._member in self._seen:
            raise ValueError("a name stands twice in one object")
        self._seen.add(self._member)
        if len(self._seen) > MOST:
            raise ValueError(f"more than {MOST} members")
        self._at = _At.COLON
        return end

    def _value(self, data: bytes, at: int) -> int:
        """Where the value ends: at a comma or a brace of the object's own, or with the data."""
        looked = 0
        while at < len(data):
            if self._in_text:
                at = self._text(data, at)
                continue
            if self._closing and at >= looked:
                at, looked = self._skimmed(data, at)
                continue
            found = (_INNER if self._closing else _OUTER).search(data, at)
            if found is None:
                return len(data)
            if self._ends(data[found.start()]):
                return found.start()
            at = found.end()
        return at

    def _skimmed(self, data: bytes, at: int) -> tuple[int, int]:
        """Goes on by a block at once; or not, and then says up to where to look closely.

        In what is left without texts, neighbours that fit cancel each other out.
        """
        end = _WHOLE.match(data, at, at + _BLOCK).end()  # type: ignore[union-attr]  # it may be empty
        left, before = _TEXT.sub(b"", data[at:end]).translate(None, _OTHERS), b""
        while left != before:
            before, left = left, left.replace(b"{}", b"").replace(b"[]", b"")
        if end == at or left.count(b"}") + left.count(b"]") >= len(self._closing):
            return at, max(end, at + 1)
        for token in left:
            self._ends(token)
        return end, end

    def _ends(self, token: int) -> bool:
        """Goes in or out of what brackets hold; whether this is the end of the value instead."""
        if token == _QUOTE:
            self._in_text = True
        elif token in _CLOSING:
            self._closing.append(_CLOSING[token])
            if len(self._closing) > jsonrpc.DEEPEST:
                raise ValueError("nested too deeply")
        elif not self._closing and token in (_COMMA, _END):
            return True
        elif not self._closing or self._closing.pop() != token:
            raise ValueError("the brackets do not fit")
        return False

    def _text(self, data: bytes, at: int) -> int:
        """Behind the quote that ends the text, or at the end of the data."""
        start = at + self._escaped
        quote = data.find(b'"', start)
        end = quote if quote >= 0 else len(data)
        if end > start and data[end - 1] == _ESCAPE:  # perhaps it is no end
            end = _REST.match(data, start).end()  # type: ignore[union-attr]  # as above
        self._in_text = end >= len(data) or data[end] != _QUOTE
        self._escaped = end < len(data) and self._in_text
        return end + 1 if end < len(data) else len(data)


_FOLLOWING: Final = {
    (_At.START, b"{"): _At.FIRST,
    (_At.FIRST, b'"'): _At.NAME,
    (_At.FIRST, b"}"): _At.DONE,
    (_At.NEXT, b'"'): _At.NAME,
    (_At.COLON, b":"): _At.BEGIN,
}
