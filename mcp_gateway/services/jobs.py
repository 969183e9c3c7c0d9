"""Jobs: what goes on beside the calls, by name. One that fails is shown, and begun anew."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

log = logging.getLogger(__name__)
PAUSE: Final = 1.0
"""Seconds until a job that failed is begun anew."""

Job = Callable[[], Awaitable[None]]


class Jobs:
    """Owns the tasks: each lives until it is replaced, or until everything ends.

    `failing` says what failed last, until the job has run through a whole pause again. Nothing
    here may end unseen: a keyring that is no longer followed would let revoked keys in.
    """

    def __init__(self, pause: float = PAUSE) -> None:
        self._pause = pause
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._failing: dict[str, str] = {}

    @property
    def failing(self) -> Mapping[str, str]:
        return self._failing

    def start(self, name: str, job: Job) -> None:
        """Begins a job, in place of any other of that name."""
        self.stop(name)
        self._tasks[name] = asyncio.get_running_loop().create_task(self._kept(name, job))

    def stop(self, name: str) -> None:
        self._failing.pop(name, None)
        if task := self._tasks.pop(name, None):
            task.cancel()

    async def aclose(self) -> None:
        tasks = list(self._tasks.values())
        for name in list(self._tasks):
            self.stop(name)
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _kept(self, name: str, job: Job) -> None:
        while True:
            well = asyncio.get_running_loop().call_later(self._pause, self._failing.pop, name, None)
            try:
                await job()
            except Exception as error:  # a supervisor: the job is shown as failing, and goes on
                log.exception("%s failed, and is begun anew", name)
                self._failing[name] = f"it failed: {type(error).__name__}"
            else:
                self._failing[name] = "it ended"
                log.error("%s ended, and is begun anew", name)
            finally:
                well.cancel()
            await asyncio.sleep(self._pause)
