"""Failed authentication: limited by address, and told to the ledger in sum."""

import time
from collections.abc import Callable
from typing import Final

from mcp_gateway.wire.address import party

WINDOW: Final = 60.0
MOST_FAILURES: Final = 60
"""Failed attempts of one address in a minute, after which it is not heard for the rest of it."""
MOST_ADDRESSES: Final = 10_000
_REST: Final = "the rest"
"""Who is counted together when there are more addresses than are told apart."""


class Failures:
    """Counts failures by address, and in sum for the ledger: strangers cannot make it grow.

    An IPv6 address counts with its /64, which is what one party is given.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._by_peer: dict[str, int] = {}
        self._since = self._clock()
        self._unreported = 0

    def wait(self, peer: str) -> int:
        """Seconds until this address is heard again; 0 when it is."""
        if not self._by_peer:
            return 0
        left = self._since + WINDOW - self._clock()
        if left <= 0:
            self._by_peer = {}
            return 0
        return max(1, round(left)) if self._by_peer.get(self._name(peer), 0) >= MOST_FAILURES else 0

    def count(self, peer: str, *, against: bool = True) -> None:
        """One more failure; `against` the address, or in the sum alone."""
        self._unreported += 1
        if not against:
            return
        if not self._by_peer:
            self._since = self._clock()
        name = self._name(peer)
        self._by_peer[name] = self._by_peer.get(name, 0) + 1

    def take(self) -> int:
        """How many there were since the last time this was asked."""
        taken, self._unreported = self._unreported, 0
        return taken

    def put_back(self, count: int) -> None:
        """These could not be reported: the next report has them."""
        self._unreported += count

    def _name(self, peer: str) -> str:
        name = party(peer)
        full = len(self._by_peer) >= MOST_ADDRESSES
        return _REST if full and name not in self._by_peer else name
