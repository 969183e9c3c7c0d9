"""How often strangers may have something done, by their address."""

import time
from collections.abc import Callable
from typing import Final

from mcp_gateway.limits.bucket import SECOND, Rate, charge
from mcp_gateway.wire.address import party

MOST: Final = 10_000
"""Addresses that are told apart; beyond them nobody new is heard until one is at rest."""


class Throttle:
    """One rate for each address, in one process; an IPv6 one counts with its /64."""

    def __init__(self, clock: Callable[[], int] = time.monotonic_ns, most: int = MOST) -> None:
        self._clock = clock
        self._most = most
        self._tats: dict[str, int] = {}

    def wait(self, peer: str, rate: Rate) -> int:
        """Charges an address. Seconds to wait, when it is over the rate; 0 when it is not."""
        now, peer = self._clock(), party(peer)
        if peer not in self._tats and len(self._tats) >= self._most:
            self._tats = {known: tat for known, tat in self._tats.items() if tat > now}
            if len(self._tats) >= self._most:
                return 1
        self._tats[peer], wait = charge(self._tats.get(peer, 0), now, rate)
        return -(-wait // SECOND)
