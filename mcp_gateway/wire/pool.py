"""The connections of one origin: a bound on all of them, and the youngest idle one first."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from mcp_gateway.wire.connection import Connection
from mcp_gateway.wire.failures import HttpFailed, HttpTimedOut

WAIT: Final = 5.0
"""Seconds that a request waits for a connection when all are in use."""
SWEEP: Final = 5.0
"""Seconds between two looks for connections that were idle for too long."""

Dial = Callable[["Pool", float], Awaitable[Connection]]
Waiter = asyncio.Future[Connection | None]


class Pool:
    """Lends connections out, one exchange each."""

    def __init__(self, most: int, dial: Dial) -> None:
        self._most = most
        self._dial = dial
        self._loop = asyncio.get_running_loop()
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._dialing = 0
        self._waiters: deque[Waiter] = deque()
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def unused(self) -> bool:
        return not (self._open or self._dialing or self._waiters)

    def idle(self, now: float) -> Connection | None:
        """The youngest idle connection that can still be used. `now` is the loop's time."""
        while self._idle:
            connection = self._idle.pop()
            if connection.usable(now):
                return connection
            self._drop(connection)
        return None

    async def lease(self, deadline: float) -> Connection:
        """A connection that a request can be written to at once: no await may come between.

        Raises HttpFailed, never `sent`: HttpTimedOut after WAIT seconds or at the deadline.
        """
        patience = self._loop.time() + WAIT
        while not self._closed:
            if connection := self.idle(self._loop.time()):
                return connection
            if len(self._open) + self._dialing < self._most:
                return await self._dialed(deadline)
            handed = await self._handed(min(deadline, patience))
            if handed and handed.usable(self._loop.time()):
                return handed
            if handed:
                self._drop(handed)
        raise HttpFailed("the client is closed")

    async def aclose(self) -> None:
        """Ends every connection, in use or not. Waits for that a second at most."""
        self._closed = True
        if self._sweeper:
            self._sweeper.cancel()
        while self._waiters:
            self._hand(None)
        gone = [connection.gone for connection in self._open]
        for connection in list(self._open):
            connection.fail(HttpFailed("the client is closed", sent=True))
        if gone:
            await asyncio.wait(gone, timeout=1.0)

    # what a connection calls

    def released(self, connection: Connection) -> None:
        if self._closed:
            connection.abort()
        elif not self._hand(connection):
            self._idle.append(connection)
            if self._sweeper is None:
                self._sweeper = self._loop.call_later(SWEEP, self._sweep)

    def lost(self, connection: Connection) -> None:
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._hand(None)

    # within

    async def _dialed(self, deadline: float) -> Connection:
        self._dialing += 1
        try:
            connection = await self._dial(self, deadline)
        except BaseException:
            self._hand(None)
            raise
        finally:
            self._dialing -= 1
        if self._closed or not connection.alive:
            connection.abort()
            self._hand(None)
            raise HttpFailed("the connection was closed as soon as it was made")
        self._open.add(connection)
        return connection

    async def _handed(self, when: float) -> Connection | None:
        """Waits in line for a connection, or for nothing: the right to look again."""
        waiter: Waiter = self._loop.create_future()
        self._waiters.append(waiter)
        timer = self._loop.call_at(when, _late, waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            self._return(waiter)
            raise
        finally:
            timer.cancel()

    def _return(self, waiter: Waiter) -> None:
        """Passes on what a waiter was handed that is no longer there to take it."""
        if not waiter.done() or waiter.cancelled() or waiter.exception():
            return
        connection = waiter.result()
        if connection:
            self.released(connection)
        else:
            self._hand(None)

    def _hand(self, connection: Connection | None) -> bool:
        """Gives the connection, or the right to dial one, to who has waited longest."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return True
        return False

    def _drop(self, connection: Connection) -> None:
        self._open.discard(connection)
        connection.abort()

    def _sweep(self) -> None:
        now = self._loop.time()
        self._sweeper = self._loop.call_later(SWEEP, self._sweep) if self._idle else None
        stale = [connection for connection in self._idle if now >= connection.idle_until]
        for connection in stale:
            self._idle.remove(connection)
            self._drop(connection)


def _late(waiter: Waiter) -> None:
    if not waiter.done():
        waiter.set_exception(HttpTimedOut("every connection to the upstream is in use"))
