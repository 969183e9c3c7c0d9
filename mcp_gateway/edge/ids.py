"""Ids of calls: sortable by time, and not to be guessed."""

import os
import time
from collections.abc import Callable
from typing import Final

RANDOM: Final = 8
"""Bytes of an id that are random."""
AT_ONCE: Final = 512


class Ids:
    """Draws randomness for many ids at once: asking the system for each costs more than the id.

    `clock` is in nanoseconds, `source` returns as many random bytes as it is asked for.
    """

    def __init__(
        self,
        clock: Callable[[], int] = time.time_ns,
        source: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._clock = clock
        self._source = source
        self._drawn = b""
        self._used = 0

    def new(self) -> str:
        """Milliseconds of Unix time and 64 random bits, in hexadecimal."""
        if self._used == len(self._drawn):
            self._drawn, self._used = self._source(RANDOM * AT_ONCE), 0
        start, self._used = self._used, self._used + RANDOM
        return f"{self._clock() // 1_000_000:011x}{self._drawn[start : self._used].hex()}"
