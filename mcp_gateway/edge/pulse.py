"""Keep-alives: what waits long says now and then that it still does. One timer for all."""

import asyncio
from typing import Final, Protocol

KEEP_ALIVE: Final = 15.0


class Beating(Protocol):
    """What is asked to give a sign."""

    def beat(self) -> None: ...


class Pulse:
    """Calls everyone twice in `seconds`, so that nobody who spoke before is quiet for longer."""

    def __init__(self, seconds: float = KEEP_ALIVE) -> None:
        self._interval = seconds / 2
        self._all: dict[Beating, None] = {}
        self._ticking = False

    def add(self, one: Beating) -> None:
        self._all[one] = None
        if not self._ticking:
            self._ticking = True
            asyncio.get_running_loop().call_later(self._interval, self._tick)

    def remove(self, one: Beating) -> None:
        self._all.pop(one, None)

    def _tick(self) -> None:
        """Goes on while there is anybody."""
        for one in list(self._all):
            one.beat()
        self._ticking = bool(self._all)
        if self._ticking:
            asyncio.get_running_loop().call_later(self._interval, self._tick)
