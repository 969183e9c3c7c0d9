"""How long somebody has to wait who guesses: longer with each failure. Pure, but for its memory."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

MOST: Final = 10_000
"""Who is told apart; beyond them all others are counted as one."""
REST: Final = 3600.0
"""Seconds after which somebody is forgotten who failed no more."""
_OTHERS: Final = ""


@dataclass(slots=True)
class _Tried:
    count: int = 0
    until: float = 0.0
    last: float = 0.0


class Guesses:
    """Counts every attempt as failed before its outcome is known: many at once gain nothing.

    The first `free` attempts wait for nobody. After each further one nobody is heard under that
    name for a second, then for two, four and so on, `longest` seconds at most.
    """

    def __init__(
        self,
        free: int,
        longest: int,
        clock: Callable[[], float] = time.monotonic,
        most: int = MOST,
    ) -> None:
        self._free = free
        self._longest = longest
        self._clock = clock
        self._most = most
        self._tried: dict[str, _Tried] = {}

    def wait(self, who: str) -> int:
        """Seconds until they are heard; 0 when they are."""
        tried = self._tried.get(self._known(who))
        left = tried.until - self._clock() if tried else 0.0
        return max(1, round(left)) if left > 0 else 0

    def begin(self, who: str) -> None:
        """One more attempt of somebody who is heard."""
        now, known = self._clock(), self._known(who)
        tried = self._tried.setdefault(known, _Tried())
        if now - tried.last > REST:
            tried.count = 0
        tried.count, tried.last = tried.count + 1, now
        if (over := tried.count - self._free) >= 0:
            tried.until = now + min(2 ** min(over, 30), self._longest)

    def forget(self, who: str) -> None:
        """It was they: what they tried before counts no more."""
        if (known := self._known(who)) != _OTHERS:
            self._tried.pop(known, None)

    def _known(self, who: str) -> str:
        if who in self._tried or len(self._tried) < self._most:
            return who
        now = self._clock()
        self._tried = {name: one for name, one in self._tried.items() if now - one.last <= REST}
        return who if len(self._tried) < self._most else _OTHERS
