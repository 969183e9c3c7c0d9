"""Flights: what several want at once is done once, and all get what came of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeVar

from mcp_gateway.core.errors import Refusal, UpstreamFailed, UpstreamTimedOut

BOUND: Final = 30.0
"""Seconds for one flight."""
REMEMBERED: Final = 1.0
"""Seconds for which a failure stands for whoever asks next: many who wait are not many tries."""
MOST: Final = 1024

Value = TypeVar("Value")


class Flights(Generic[Value]):
    """One task for each key. It does not end with the caller who began it: others wait for it."""

    def __init__(
        self,
        bound: float = BOUND,
        remembered: float = REMEMBERED,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bound = bound
        self._remembered = remembered
        self._clock = clock
        self._tasks: dict[Hashable, asyncio.Task[Value]] = {}
        self._failed: dict[Hashable, tuple[float, Refusal]] = {}

    async def join(self, key: Hashable, begin: Callable[[], Awaitable[Value]]) -> Value:
        """What `begin` comes to, of the flight that is under way or of a new one.

        Raises as `begin` does, UpstreamTimedOut when it takes too long.
        """
        until, failure = self._failed.get(key, (0.0, None))
        if failure is not None and self._clock() < until:
            raise failure
        task = self._tasks.get(key)
        if task is None:
            flown = self._flown(key, begin)
            # Owned here: it ends within the bound, or when everything does.
            task = self._tasks[key] = asyncio.get_running_loop().create_task(flown)
            task.add_done_callback(_seen)
        await asyncio.wait({task})
        if task.cancelled():
            raise UpstreamFailed("the gateway is stopping: call again", sent=False)
        return task.result()

    def under_way(self, key: Hashable) -> bool:
        """Whether joining would be joining others."""
        return key in self._tasks

    async def aclose(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _flown(self, key: Hashable, begin: Callable[[], Awaitable[Value]]) -> Value:
        try:
            async with asyncio.timeout(self._bound):
                return await begin()
        except TimeoutError:
            raise self._kept(key, UpstreamTimedOut("no credential came in time")) from None
        except (UpstreamFailed, UpstreamTimedOut) as failure:
            raise self._kept(key, failure) from None
        finally:
            del self._tasks[key]

    def _kept(self, key: Hashable, failure: Refusal) -> Refusal:
        if len(self._failed) >= MOST:
            self._failed.clear()
        self._failed[key] = (self._clock() + self._remembered, failure)
        return failure


def _seen(task: asyncio.Task[Value]) -> None:
    """Whoever waited may be gone: then its failure is nobody's any more."""
    if not task.cancelled():
        task.exception()
