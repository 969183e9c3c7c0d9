"""Standing: what stays open longer than a call is authenticated and authorized again."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import Current, Snapshot
from mcp_gateway.edge.asgi import Headers, HttpError

EVERY: Final = 15.0
"""Seconds between two looks without a swap: a credential expires by itself."""
AT_ONCE: Final = 100
"""What is looked at before calls get their turn again."""
REVOKED: Final = "revoked"
STOPPING: Final = "stopping"
_CREDENTIAL: Final = b"authorization"


@dataclass(frozen=True, slots=True)
class Presented:
    """What a caller authenticated with. Kept for as long as what they opened."""

    headers: Headers = field(repr=False)
    path: str


def presented(headers: Headers, path: str) -> Presented:
    """Of the headers the credential alone."""
    kept = {name: headers[name] for name in (_CREDENTIAL,) if name in headers}
    return Presented(kept, path)


@dataclass(frozen=True, slots=True, eq=False)
class Open:
    """Something that is open. `still` says whether it may stay so, for the principal of now.

    `end` is told why it may not: "revoked", or "stopping". It may be told twice.
    """

    tenant: str
    presented: Presented
    still: Callable[[Snapshot, Principal], bool]
    end: Callable[[str], None]


class Again(Protocol):
    def again(self, headers: Headers, path: str) -> Principal:
        """Who it is by now. Raises HttpError; nothing is counted as an attempt."""
        ...


class Standing:
    """Looks at all that is open after each swap, and now and then without one.

    `authenticator` gives the one of the configuration in force.
    """

    def __init__(self, current: Current, authenticator: Callable[[], Again]) -> None:
        self._current = current
        self._authenticator = authenticator
        self._open: dict[Open, None] = {}
        self._swapped = asyncio.Event()
        self._closed = False
        self._also: list[Callable[[], Awaitable[None]]] = []
        current.watch(self._swapped.set)

    def __len__(self) -> int:
        return len(self._open)

    def add(self, open_: Open) -> Callable[[], None]:
        """From now on it is looked at, until what this returns is called."""
        self._open[open_] = None
        if self._closed:
            open_.end(STOPPING)

        def gone() -> None:
            self._open.pop(open_, None)

        return gone

    def also(self, look: Callable[[], Awaitable[None]]) -> None:
        """Has what is kept elsewhere looked at whenever this looks."""
        self._also.append(look)

    def close(self) -> None:
        """The gateway stops: all ends, and what is opened from here on does at once."""
        self._closed = True
        for open_ in tuple(self._open):
            open_.end(STOPPING)

    async def follow(self) -> None:
        """Until cancelled."""
        while True:
            try:
                async with asyncio.timeout(EVERY):
                    await self._swapped.wait()
            except TimeoutError:
                pass
            self._swapped.clear()
            await self.look()

    async def look(self) -> None:
        """Looks at everything once."""
        for look in self._also:
            await look()
        for number, open_ in enumerate(tuple(self._open)):
            if number % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)
            if open_ in self._open and not self._stands(open_):
                open_.end(REVOKED)

    def _stands(self, open_: Open) -> bool:
        shown = open_.presented
        try:
            principal = self._authenticator().again(shown.headers, shown.path)
        except HttpError:
            return False
        snapshot = self._current.of(principal.tenant)
        if snapshot is None or principal.tenant != open_.tenant:
            return False
        return open_.still(snapshot, principal)
