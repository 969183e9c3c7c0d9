"""Lists as they were rendered, remembered within bounds."""

from collections.abc import Hashable
from typing import Final

MOST: Final = 64 * 1024 * 1024
"""Bytes of all of them."""
MOST_LISTS: Final = 100_000


class Lists:
    """Beyond a bound all are forgotten: what is still asked for comes back with the next call."""

    __slots__ = ("_held", "_size")

    def __init__(self) -> None:
        self._held: dict[Hashable, bytes] = {}
        self._size = 0

    def get(self, key: Hashable) -> bytes | None:
        return self._held.get(key)

    def keep(self, key: Hashable, rendered: bytes) -> bytes:
        """Remembers it, and returns it."""
        size = len(rendered)
        if self._size + size > MOST or len(self._held) >= MOST_LISTS:
            self._held.clear()
            self._size = 0
        if size <= MOST and key not in self._held:
            self._held[key] = rendered
            self._size += size
        return rendered

    def __len__(self) -> int:
        return len(self._held)
