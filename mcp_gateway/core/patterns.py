"""covers(): which targets a pattern is about. Pure."""

import re
from functools import lru_cache
from typing import Final

from mcp_gateway.core.target import KINDS, Target

STAR: Final = "*"
_FORBIDDEN: Final = re.compile(r"[\x00-\x20\x7f,\"']")
_COVERED: Final = KINDS - {"none"}


class Glob:
    """A text in which `*` matches any run of characters; the pieces between are literal.

    Each piece is sought once, from the left, where the last one ended: no backtracking, so the
    time is linear in the text for each piece. `needle` is the longest piece behind the prefix:
    a text without it cannot match.
    """

    __slots__ = ("_middle", "_shortest", "needle", "prefix", "starred", "suffix", "text")

    def __init__(self, text: str) -> None:
        pieces = text.split(STAR)
        self.text = text
        self.starred = len(pieces) > 1
        self.prefix = pieces[0]
        self.suffix = pieces[-1]
        self._middle = tuple(piece for piece in pieces[1:-1] if piece)
        self.needle = max(pieces[1:] or pieces, key=len)
        self._shortest = len(text) - len(pieces) + 1

    def matches(self, text: str) -> bool:
        if not self.starred:
            return text == self.text
        if (
            len(text) < self._shortest
            or not text.startswith(self.prefix)
            or not text.endswith(self.suffix)
        ):
            return False
        return not self._middle or self._middle_matches(text)

    def meets(self, other: "Glob") -> bool:
        """Whether some text matches both.

        With a star in each, both prefixes and both suffixes are all that can disagree: the
        pieces between fit one after the other.
        """
        if not self.starred:
            return other.matches(self.text)
        if not other.starred:
            return self.matches(other.text)
        one, two = self.suffix, other.suffix
        return _starts(self.prefix, other.prefix) and (one.endswith(two) or two.endswith(one))

    def contains(self, other: "Glob") -> bool:
        """Whether every text of the other is one of this; False when unsure."""
        if not other.starred:
            return self.matches(other.text)
        if self.text == other.text:
            return True
        tail = not self._middle and not self.suffix
        return self.starred and tail and other.prefix.startswith(self.prefix)

    def _middle_matches(self, text: str) -> bool:
        start, end = len(self.prefix), len(text) - len(self.suffix)
        for piece in self._middle:
            found = text.find(piece, start, end)
            if found < 0:
                return False
            start = found + len(piece)
        return True


class Pattern:
    """`kind/server/name`, compiled. Raises ValueError for fewer parts."""

    __slots__ = ("kinds", "name", "server")

    def __init__(self, text: str) -> None:
        kind, server, name = text.split("/", 2)
        fitting = Glob(kind)
        self.kinds = frozenset(k for k in _COVERED if fitting.matches(k))
        self.server = Glob(server)
        self.name = Glob(name)

    def covers(self, target: Target) -> bool:
        return (
            target.kind in self.kinds and self.on(target.server) and self.name.matches(target.name)
        )

    def on(self, server: str) -> bool:
        """Whether it is about this server: a star never reaches over a slash."""
        return self.server.matches(server) and "/" not in server


@lru_cache(maxsize=65_536)
def compiled(pattern: str) -> Pattern:
    """The pattern, compiled once. Raises ValueError for one that has not three parts."""
    return Pattern(pattern)


def covers(target: Target, pattern: str) -> bool:
    """Whether `kind/server/name` covers the target: `*` matches any run within its part.

    Only the name may hold slashes, and there `*` matches them too. Nothing covers kind "none".
    """
    return compiled(pattern).covers(target)


def fault(pattern: str) -> str:
    """What is wrong with a pattern, in words; empty when nothing is."""
    parts = pattern.split("/", 2)
    if len(parts) != 3 or not all(parts):
        return "a target is kind/server/name"
    if _FORBIDDEN.search(pattern) or not pattern.isprintable():
        return "a target holds no blanks, commas, quotes or control characters"
    if not Pattern(pattern).kinds:
        return f"there is no kind {parts[0]!r}"
    return ""


def specificity(pattern: str) -> int:
    """How much of a pattern is fixed: the highest one applies when several cover a target."""
    return len(pattern) - pattern.count(STAR)


def _starts(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)
