"""Counters of one process, in memory."""

import time
from collections.abc import Callable, Mapping
from typing import Final, Literal, get_args

from mcp_gateway.core import patterns
from mcp_gateway.core.call import Call
from mcp_gateway.core.errors import Throttled
from mcp_gateway.core.target import Target
from mcp_gateway.limits.bucket import SECOND, Rate, charge

Level = Literal["tenant", "principal", "client", "upstream", "tool"]
Key = tuple[str, ...]
Applied = tuple[Level, str, Rate]
"""A level, the limit's own name and its rate. The name says all of it: a limit that is changed
is another one, and counts anew."""
LEVELS: Final[frozenset[str]] = frozenset(get_args(Level))
DEFAULT: Final = "default"
MOST_KEYS: Final = 100_000
MOST_REMEMBERED: Final = 20_000
LONGEST_REMEMBERED: Final = 512


class MemoryLimiter:
    """Every level that has a limit is charged, all or none.

    `limits` maps a level to patterns and their limits ("60/minute"); "default" covers every
    target, and the most specific pattern that covers one applies. `clock` is in nanoseconds and
    never goes back. At most `most` counters are kept: with as many at work, whoever would need
    a new one is throttled. Raises ValueError for a level, a pattern or a limit that cannot be
    read.
    """

    def __init__(
        self,
        limits: Mapping[Level, Mapping[str, str]],
        clock: Callable[[], int] = time.monotonic_ns,
        most: int = MOST_KEYS,
    ) -> None:
        self._clock = clock
        self._most = most
        self._rates = {level: _rates(level, texts) for level, texts in limits.items()}
        self._applied: dict[tuple[str, str, str], tuple[Applied, ...]] = {}
        self._tats: dict[Key, int] = {}
        self._swept = -SECOND

    def renewed(self, limits: Mapping[Level, Mapping[str, str]]) -> "MemoryLimiter":
        """Other limits over the same counters: what has not changed goes on counting.

        Both may be used at a time. Raises ValueError.
        """
        fresh = MemoryLimiter(limits, self._clock, self._most)
        fresh._tats = self._tats
        return fresh

    def hold(self, call: Call) -> "Held":
        """Charges the call on entry. Entering raises Throttled."""
        return Held(self, call)

    def charge(self, call: Call) -> None:
        """Charges every level. Raises Throttled, having charged none."""
        applied = self._applying(call.target)
        if not applied:
            return
        now = self._clock()
        tats = self._tats
        charged: list[tuple[Key, int]] = []
        for level, name, rate in applied:
            key = (name, *_who(level, call))
            tat, wait = charge(tats.get(key, 0), now, rate)
            if wait:
                raise Throttled(
                    f"over the limit of {rate.text} for this {level}", retry_after=wait / SECOND
                )
            charged.append((key, tat))
        if len(tats) + len(charged) > self._most:
            self._make_room(charged, now)
        self._tats.update(charged)

    def _make_room(self, charged: list[tuple[Key, int]], now: int) -> None:
        """Forgets counters at rest, at most once a second: looking at them all takes its time."""
        if now - self._swept >= SECOND:
            self._swept = now
            for key in [key for key, tat in self._tats.items() if tat <= now]:
                del self._tats[key]
        new = sum(key not in self._tats for key, _ in charged)
        if new and len(self._tats) + new > self._most:
            raise Throttled("too many callers are being counted", retry_after=1.0)

    def _applying(self, target: Target) -> tuple[Applied, ...]:
        """The limits for a target: looked up by its text, which is cheaper to hash than it."""
        key = (target.kind, target.server, target.name)
        known = self._applied.get(key)
        if known is None:
            known = tuple(found for level in self._rates if (found := self._best(level, target)))
            if len(self._applied) >= MOST_REMEMBERED:
                self._applied.clear()
            if len(target.name) <= LONGEST_REMEMBERED:
                self._applied[key] = known
        return known

    def _best(self, level: Level, target: Target) -> Applied | None:
        rates = self._rates[level]
        fitting = [p for p in rates if p != DEFAULT and patterns.covers(target, p)]
        best = max(fitting, key=patterns.specificity) if fitting else DEFAULT
        if best not in rates:
            return None
        return level, f"{level} {best} {rates[best].text}", rates[best]


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


def _rates(level: str, texts: Mapping[str, str]) -> dict[str, Rate]:
    if level not in LEVELS:
        raise ValueError(f"there is no level {level!r}; there are {', '.join(sorted(LEVELS))}")
    return {pattern: _rate(level, pattern, text) for pattern, text in texts.items()}


def _rate(level: str, pattern: str, text: str) -> Rate:
    try:
        if pattern != DEFAULT and (fault := patterns.fault(pattern)):
            raise ValueError(fault)
        return Rate.parse(text)
    except ValueError as error:
        raise ValueError(f"limits.{level}: {pattern!r}: {error}") from None


def _who(level: Level, call: Call) -> Key:
    principal = call.principal
    match level:
        case "principal":
            return (principal.tenant, principal.issuer, principal.subject)
        case "client":
            return (principal.tenant, principal.client)
        case "tenant":
            return (principal.tenant,)
        case "upstream":
            return (principal.tenant, call.target.server)
        case "tool":
            return (principal.tenant, str(call.target))
