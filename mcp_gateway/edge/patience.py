"""How long a connection may take: one look at all of them a second, no timer for each."""

import asyncio
import fcntl
import sys
import termios
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final, Protocol

TICK: Final = 1.0
"""Seconds between two looks, and how exact the bounds are."""


class Patient(Protocol):
    """What is looked at."""

    def tick(self, now: float) -> None:
        """Ends what has taken too long. `now` is the time of this look."""


class Patience:
    """Looks at every connection once a second while there is one. `now` is a coarse clock."""

    __slots__ = ("_all", "_loop", "_ticking", "now")

    def __init__(self) -> None:
        self._all: Callable[[], Iterable[Patient]] = tuple
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ticking = False
        self.now = 0.0

    def watch(
        self, loop: asyncio.AbstractEventLoop, every: Callable[[], Iterable[Patient]]
    ) -> None:
        """From now on looks at what `every` gives, until that is nothing."""
        if self._ticking and loop is self._loop:
            return
        self._loop, self._all, self._ticking = loop, every, True
        self.now = loop.time()
        loop.call_later(TICK, self._tick, loop)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self.now = loop.time()
        found = list(self._all())
        for one in found:
            loop.call_soon(one.tick, self.now)  # what fails there harms no other
        self._ticking = bool(found)
        if found:
            loop.call_later(TICK, self._tick, loop)


def unread(transport: asyncio.Transport) -> int:
    """Bytes that wait for the caller to read: nothing, unless some wait in this process.

    The system's buffers count too: they are large, and a slow reader moves them first.
    """
    waiting = transport.get_write_buffer_size()
    if waiting:
        with suppress(OSError):  # closed, or no socket that could tell
            found = fcntl.ioctl(transport.get_extra_info("socket"), termios.TIOCOUTQ, bytes(4))
            waiting += int.from_bytes(found, sys.byteorder)
    return waiting
