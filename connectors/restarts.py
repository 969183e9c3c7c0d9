"""Restarts: how soon a child that ended, or would not start, is started again."""

import time
from collections.abc import Callable
from typing import Final

from mcp_gateway.core.errors import ResultTooLarge, UpstreamFailed, UpstreamTimedOut

Failure = UpstreamFailed | UpstreamTimedOut | ResultTooLarge
FIRST: Final = 1.0
LONGEST: Final = 60.0
STEADY: Final = 30.0
"""Seconds that a child has to run before its end is not held against it."""


class Restarts:
    """Pauses that grow while one start after another comes to nothing. `clock` is in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = clock()
        self._pause = 0.0
        self._until = 0.0
        self._last: Failure | None = None

    def check(self) -> None:
        """Raises UpstreamFailed, with the reason of the last failure, while there is a pause."""
        wait = self._until - self._clock()
        if self._last and wait > 0:
            detail = self._last.detail if isinstance(self._last, UpstreamFailed) else ""
            said = f"{self._last.reason}; it will be started again"
            raise UpstreamFailed(said, retry_after=wait, detail=detail)

    def started(self) -> None:
        self._started = self._clock()

    def failed(self, failure: Failure) -> None:
        """The start came to nothing, or what was started has ended."""
        now = self._clock()
        if now - self._started >= STEADY:
            self._pause = 0.0
        else:
            self._pause = min(LONGEST, 2 * self._pause or FIRST)
        self._last, self._until = failure, now + self._pause
