"""Room for another caller: of too many connections those go that were idle longest."""

import heapq
from collections.abc import Collection
from typing import Final, Protocol

MOST: Final = 4096
"""Connections of callers, whatever they do."""
AT_ONCE: Final = 64
"""Connections that go when there are too many: who opens many more costs no look at all each."""


class Guest(Protocol):
    """A connection."""

    def idle_since(self) -> float | None:
        """When it began to wait for a request that is whole; nothing while one is in progress."""
        ...

    def shutdown(self) -> None: ...


def made(guests: Collection[Guest], newest: Guest, most: int = 0) -> bool:
    """Whether there is room for the newest, perhaps because others were sent away for it.

    No request in progress is ever ended: rather there is no room. `most` of 0 is the bound above.
    """
    most = most or MOST
    if len(guests) <= most:
        return True
    idle = [
        (since, id(guest), guest)
        for guest in guests
        if guest is not newest and (since := guest.idle_since()) is not None
    ]
    longest = heapq.nsmallest(min(AT_ONCE, max(1, most // 16)), idle)
    for _, _, guest in longest:
        guest.shutdown()
    return bool(longest)
