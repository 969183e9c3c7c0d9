"""A caller that is gone cancels its call. Only calls that take long are watched."""

import asyncio
from typing import Final

from mcp_gateway.edge.asgi import Receive

WATCH_AFTER: Final = 0.05
"""Seconds after which a call is long enough to be worth watching, and at most twice as many."""


class Watched:
    """One call, and what begins beside it once it is long."""

    __slots__ = ("_watching", "among")

    def __init__(self) -> None:
        self._watching: asyncio.Task[None] | None = None
        self.among: dict[Watched, None] | None = None

    def watch(self) -> None:
        # Owned by this object, which the call closes at its end.
        self._watching = asyncio.get_running_loop().create_task(self._wait())

    def close(self) -> None:
        """The call has ended. Nothing is kept of it: most calls are short, and many."""
        if self.among is not None:
            self.among.pop(self, None)
        if self._watching:
            self._watching.cancel()

    async def _wait(self) -> None:
        raise NotImplementedError


class HangUp(Watched):
    """Whether the caller hung up: then the call is cancelled."""

    __slots__ = ("_receive", "_task", "happened")

    def __init__(self, receive: Receive, task: asyncio.Task[object]) -> None:
        super().__init__()
        self._receive = receive
        self._task = task
        self.happened = False

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.happened = True
        self._task.cancel()


class Watch:
    """Begins to watch calls that have become long. One timer for all, and none while idle."""

    def __init__(self) -> None:
        self._new: dict[Watched, None] = {}
        self._older: dict[Watched, None] = {}
        self._ticking = False

    def over(self, receive: Receive, task: asyncio.Task[object]) -> HangUp:
        """A call begins whose caller may hang up."""
        call = HangUp(receive, task)
        self.add(call)
        return call

    def add(self, call: Watched) -> None:
        """A call begins."""
        call.among = self._new
        self._new[call] = None
        if not self._ticking:
            self._tick()

    def _tick(self) -> None:
        for call in self._older:
            call.watch()
        self._older, self._new = self._new, {}
        self._ticking = bool(self._older)
        if self._ticking:
            asyncio.get_running_loop().call_later(WATCH_AFTER, self._tick)
