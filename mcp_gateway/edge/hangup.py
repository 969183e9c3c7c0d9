"""A caller that is gone cancels its call. Only calls that take long are watched."""

import asyncio
from typing import Final

from mcp_gateway.edge.asgi import Receive

WATCH_AFTER: Final = 0.05
"""Seconds after which a call is long enough to be worth watching, and at most twice as many."""


class HangUp:
    """One call, and whether its caller hung up."""

    __slots__ = ("_among", "_receive", "_task", "_watching", "happened")

    def __init__(
        self, receive: Receive, task: asyncio.Task[object], among: "dict[HangUp, None]"
    ) -> None:
        self._receive = receive
        self._task = task
        self._among = among
        self._watching: asyncio.Task[None] | None = None
        self.happened = False
        among[self] = None

    def watch(self) -> None:
        # Owned by this object, which the call closes at its end.
        self._watching = asyncio.get_running_loop().create_task(self._wait())

    def close(self) -> None:
        """The call has ended. Nothing is kept of it: most calls are short, and many."""
        self._among.pop(self, None)
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
        self._new: dict[HangUp, None] = {}
        self._older: dict[HangUp, None] = {}
        self._ticking = False

    def over(self, receive: Receive, task: asyncio.Task[object]) -> HangUp:
        """A call begins."""
        call = HangUp(receive, task, self._new)
        if not self._ticking:
            self._tick()
        return call

    def _tick(self) -> None:
        for call in self._older:
            call.watch()
        self._older, self._new = self._new, {}
        self._ticking = bool(self._older)
        if self._ticking:
            asyncio.get_running_loop().call_later(WATCH_AFTER, self._tick)
