"""A caller that is gone cancels its call. Only calls that take long are watched."""

import asyncio
from typing import Final

from mcp_gateway.edge.asgi import Receive

WATCH_AFTER: Final = 0.05
"""Seconds after which a call is long enough to be worth watching, and at most twice as many."""


class HangUp:
    """One call, and whether its caller hung up."""

    __slots__ = ("_receive", "_task", "_watching", "closed", "happened")

    def __init__(self, receive: Receive, task: asyncio.Task[object]) -> None:
        self._receive = receive
        self._task = task
        self._watching: asyncio.Task[None] | None = None
        self.closed = False
        self.happened = False

    def watch(self) -> None:
        # Owned by this object, which the call closes at its end.
        self._watching = asyncio.get_running_loop().create_task(self._wait())

    def close(self) -> None:
        """The call has ended."""
        self.closed = True
        if self._watching:
            self._watching.cancel()

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.happened = True
        self._task.cancel()


class Watch:
    """Begins to watch calls that have become long. One timer for all, and none while idle."""

    def __init__(self) -> None:
        self._new: list[HangUp] = []
        self._older: list[HangUp] = []
        self._ticking = False

    def over(self, receive: Receive, task: asyncio.Task[object]) -> HangUp:
        """A call begins."""
        call = HangUp(receive, task)
        self._new.append(call)
        if not self._ticking:
            self._tick()
        return call

    def _tick(self) -> None:
        for call in self._older:
            if not call.closed:
                call.watch()
        self._older, self._new = self._new, []
        self._ticking = bool(self._older)
        if self._ticking:
            asyncio.get_running_loop().call_later(WATCH_AFTER, self._tick)
