"""The sessions with one upstream of the initialize era: by credential, and by what is declared.

A session is begun for whoever comes first and shared by all who show the same and can answer the
same, so that nobody is asked what only another could answer.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final, Generic, Protocol, TypeVar

from connectors.abilities import Abilities
from mcp_gateway.core.credential import Credential
from mcp_gateway.core.errors import UpstreamBusy, UpstreamFailed

MOST: Final = 32
IDLE: Final = 300.0
"""Seconds after which a session that nobody uses is ended."""
LEAVING: Final = 2.0
"""Seconds that the ends of sessions are waited for when everything ends."""

Key = tuple[str, Abilities]


class Session(Protocol):
    """What the others of a connector's are to it. `used` is on the monotonic clock."""

    used: float

    @property
    def busy(self) -> bool:
        """Whether a call is under way in it, or parked."""
        ...

    @property
    def open(self) -> bool: ...

    async def end(self) -> None:
        """Says farewell, within a bound. Raises nothing."""
        ...


S = TypeVar("S", bound=Session)


class Sessions(Generic[S]):
    """At most `most`, begun by `begin`. Nobody who leaves takes a beginning along."""

    def __init__(
        self,
        server: str,
        begin: Callable[[Credential, Abilities], Awaitable[S]],
        *,
        most: int = MOST,
        idle: float = IDLE,
    ) -> None:
        self._server = server
        self._begin = begin
        self._most = most
        self._idle = idle
        self._open: dict[Key, S] = {}
        self._opening: dict[Key, asyncio.Task[S]] = {}
        self._awaited: Counter[Key] = Counter()
        self._ending: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._open) + len(self._opening)

    async def of(self, credential: Credential, able: Abilities) -> S:
        """The session for this. Raises as `begin`, and UpstreamBusy when all are in use."""
        session = self.known(credential, able)
        if session is None:
            session = await self._begun((credential.reference, able), credential)
            session.used = time.monotonic()
        return session

    def known(self, credential: Credential, able: Abilities) -> S | None:
        """The same, where it has begun."""
        key = (credential.reference, able)
        session = self._open.get(key)
        if session is None:
            return None
        if not session.open:
            self._end(self._open.pop(key))
            return None
        session.used = time.monotonic()
        return session

    def lost(self, session: S) -> bool:
        """Forgets a session that its upstream has ended; whether it was still known here."""
        for key, known in self._open.items():
            if known is session:
                del self._open[key]
                return True
        return False

    def clear(self) -> None:
        """Ends all: the upstream is not what it was."""
        sessions = list(self._open.values())
        self._open.clear()
        for session in sessions:
            self._end(session)

    async def aclose(self) -> None:
        for opening in self._opening.values():
            opening.cancel()
        if self._sweeper:
            self._sweeper.cancel()
        self.clear()
        if self._ending:
            await asyncio.wait(set(self._ending), timeout=LEAVING)
        for ending in self._ending:
            ending.cancel()

    async def _begun(self, key: Key, credential: Credential) -> S:
        """Begins it, once for all who wait for it."""
        opening = self._opening.get(key)
        if opening is None:
            self._make_room()
            # Kept here, and ended in aclose: no one caller who leaves takes it along.
            opening = asyncio.get_running_loop().create_task(self._kept(key, credential))
            self._opening[key] = opening
            opening.add_done_callback(_looked_at)
        self._awaited[key] += 1  # it is not unused until they have come to use it
        try:
            await asyncio.wait({opening})
        finally:
            self._awaited -= Counter([key])
        if opening.cancelled():
            raise UpstreamFailed(f"{self._server} is being stopped")
        return opening.result()

    async def _kept(self, key: Key, credential: Credential) -> S:
        try:
            session = await self._begin(credential, key[1])
        finally:
            del self._opening[key]
        session.used = time.monotonic()
        self._open[key] = session
        self._sweep_later()
        return session

    def _make_room(self) -> None:
        if len(self) < self._most:
            return
        held = self._awaited
        unused = [key for key, found in self._open.items() if not (found.busy or held[key])]
        if not unused:
            said = f"{self._server}: every session with it is in use"
            raise UpstreamBusy(said, retry_after=1)
        self._end(self._open.pop(min(unused, key=lambda key: self._open[key].used)))

    def _end(self, session: S) -> None:
        ending = asyncio.get_running_loop().create_task(session.end())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    def _sweep_later(self) -> None:
        if self._sweeper is None:
            loop = asyncio.get_running_loop()
            self._sweeper = loop.call_later(self._idle / 4, self._sweep)

    def _sweep(self) -> None:
        self._sweeper = None
        late = time.monotonic() - self._idle
        for key, session in list(self._open.items()):
            if not session.open or (session.used < late and not session.busy):
                self._end(self._open.pop(key))
        if self._open:
            self._sweep_later()


def _looked_at(task: "asyncio.Task[S]") -> None:
    """Whoever waited has been told; that nobody did is no error."""
    if not task.cancelled():
        task.exception()
