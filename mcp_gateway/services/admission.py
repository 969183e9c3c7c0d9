"""Admission: how many requests are at one upstream, how many wait, and when none is sent."""

import asyncio
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from mcp_gateway.core.errors import UpstreamBusy

LONGEST_WAIT: Final = 5.0
"""Seconds that a request waits for its turn."""
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 30.0
"""Seconds for which nothing is sent to an upstream that fails: it doubles up to this."""


class Admission:
    """The bulkhead, the queue and the breaker of one upstream.

    On the path of a call two comparisons tell whether to ask at all: of `inside` with `most`, and
    of `failures`, those in a row, with `breaker`. What enters without asking counts itself, and
    counts itself out while nobody is `waiting`.
    """

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self._queue = 0
        self._until = 0.0
        self._pause = FIRST_PAUSE
        self._trying = False
        self.waiting: deque[asyncio.Future[None]] = deque()
        self.inside = 0
        self.most = sys.maxsize
        self.failures = 0
        self.breaker = sys.maxsize

    def limit(self, most: int, queue: int, breaker: int) -> None:
        """Takes other bounds. Nothing that is under way is cut; 0 never opens the breaker."""
        self.most, self._queue, self.breaker = most, queue, breaker or sys.maxsize
        while self.waiting and self.inside < self.most:
            self.inside += 1
            self._hand_over()

    async def enter(self) -> bool:
        """Takes a place, and returns whether this is the trial of an open breaker.

        Raises UpstreamBusy: while the breaker is open, when too many wait, after waiting long.
        """
        self._check()
        if self.inside < self.most:
            self.inside += 1
        else:
            await self._place()
            try:
                self._check()
            except UpstreamBusy:
                self.leave()
                raise
        self._trying = self.failures >= self.breaker
        return self._trying

    def leave(self, *, trial: bool = False) -> None:
        """Gives the place back, or to who waits longest."""
        if trial:
            self._trying = False
        if self.waiting and self.inside <= self.most:
            self._hand_over()
        else:
            self.inside -= 1

    def answered(self) -> None:
        """The upstream answers: the breaker closes."""
        self.failures = 0
        self._pause = FIRST_PAUSE

    def failed(self, *, trial: bool) -> None:
        """One more failure in a row. The one too many opens the breaker, a failed trial again."""
        self.failures += 1
        if trial or self.failures == self.breaker:
            self._until = self._clock() + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def hopeful(self) -> None:
        """There is reason to think that it answers again: the next request is a trial."""
        self._until = 0.0

    def _check(self) -> None:
        if self.failures < self.breaker:
            return
        left = self._until - self._clock()
        if left > 0 or self._trying:
            said = f"{self._name} failed {self.failures} times in a row: nothing is sent for now"
            raise UpstreamBusy(said, retry_after=max(left, FIRST_PAUSE))

    async def _place(self) -> None:
        if len(self.waiting) >= self._queue:
            said = f"{self._name} has {self.inside} requests, and {len(self.waiting)} wait"
            raise UpstreamBusy(said, retry_after=FIRST_PAUSE)
        turn = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        try:
            async with asyncio.timeout(LONGEST_WAIT):
                await turn
        except TimeoutError:
            self._gone(turn)
            said = f"{self._name} is busy: it was not your turn within {LONGEST_WAIT:g} s"
            raise UpstreamBusy(said, retry_after=FIRST_PAUSE) from None
        except asyncio.CancelledError:
            self._gone(turn)
            raise

    def _gone(self, turn: "asyncio.Future[None]") -> None:
        """Who does not wait any more may have been given a place in the same moment."""
        if turn.done() and not turn.cancelled():
            self.leave()
        with suppress(ValueError):
            self.waiting.remove(turn)

    def _hand_over(self) -> None:
        """To the first who still waits; the count stays, for the place only changes hands."""
        turn = self.waiting.popleft()
        if turn.cancelled():  # it removes itself when its task runs
            self.leave()
            return
        turn.set_result(None)
