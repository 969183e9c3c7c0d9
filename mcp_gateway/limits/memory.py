"""Counters of one process, in memory."""

import time
from collections.abc import Callable, Mapping
from typing import Final, Literal

from mcp_gateway.core.call import Call
from mcp_gateway.core.errors import Throttled
from mcp_gateway.core.patterns import covers, specificity
from mcp_gateway.core.target import Target
from mcp_gateway.limits.bucket import SECOND, Rate, charge

Level = Literal["tenant", "principal", "client", "upstream", "tool"]
Key = tuple[str, ...]
MOST_KEYS: Final = 100_000
DEFAULT: Final = "default"


class MemoryLimiter:
    """Every level that has a limit is charged, all or none.

    `limits` maps a level to patterns and their limits ("60/minute"); "default" covers every
    target, and the most specific pattern that covers one applies. Raises ValueError for a limit
    that cannot be read.
    """

    def __init__(
        self,
        limits: Mapping[Level, Mapping[str, str]],
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._clock = clock
        self._rates = {
            level: {pattern: Rate.parse(text) for pattern, text in patterns.items()}
            for level, patterns in limits.items()
        }
        self._applied: dict[Target, list[tuple[Level, str, Rate]]] = {}
        self._tats: dict[Key, int] = {}

    def hold(self, call: Call) -> "Held":
        """Charges the call on entry. Entering raises Throttled."""
        return Held(self, call)

    def charge(self, call: Call) -> None:
        """Charges every level. Raises Throttled, having charged none."""
        now = self._clock()
        new: dict[Key, int] = {}
        for level, pattern, rate in self._applying(call.target):
            key = (level, pattern, *_who(level, call))
            tat, wait = charge(self._tats.get(key, 0), now, rate)
            if wait:
                raise Throttled(
                    f"over the limit of {rate.text} for this {level}", retry_after=wait / SECOND
                )
            new[key] = tat
        if len(self._tats) > MOST_KEYS:
            self._tats = {key: tat for key, tat in self._tats.items() if tat > now}
        self._tats.update(new)

    def _applying(self, target: Target) -> list[tuple[Level, str, Rate]]:
        known = self._applied.get(target)
        if known is None:
            known = [found for level in self._rates if (found := self._best(level, target))]
            if len(self._applied) < MOST_KEYS:
                self._applied[target] = known
        return known

    def _best(self, level: Level, target: Target) -> tuple[Level, str, Rate] | None:
        patterns = self._rates[level]
        fitting = [p for p in patterns if p != DEFAULT and covers(target, p)]
        if fitting:
            best = max(fitting, key=specificity)
            return level, best, patterns[best]
        return (level, DEFAULT, patterns[DEFAULT]) if DEFAULT in patterns else None


class Held:
    """A call's place among the limits."""

    __slots__ = ("_call", "_limiter")

    def __init__(self, limiter: MemoryLimiter, call: Call) -> None:
        self._limiter = limiter
        self._call = call

    async def __aenter__(self) -> None:
        self._limiter.charge(self._call)

    async def __aexit__(self, *_: object) -> None:
        return None


def _who(level: Level, call: Call) -> Key:
    principal = call.principal
    match level:
        case "tenant":
            return (principal.tenant,)
        case "principal":
            return (principal.tenant, principal.issuer, principal.subject)
        case "client":
            return (principal.tenant, principal.client)
        case "upstream":
            return (principal.tenant, call.target.server)
        case "tool":
            return (principal.tenant, str(call.target))
