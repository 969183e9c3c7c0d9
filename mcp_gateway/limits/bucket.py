"""GCRA, the generic cell rate algorithm: one number per key, given the time. Pure."""

import re
from dataclasses import dataclass
from typing import Final

SECOND: Final = 1_000_000_000
FASTEST: Final = 1_000_000
"""Calls a second; beyond it the nanoseconds between two are too coarse to mean anything."""
_UNITS: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_LIMIT: Final = re.compile(r"([0-9]{1,12})/(second|minute|hour|day)(?: burst ([0-9]{1,12}))?")


@dataclass(frozen=True, slots=True)
class Rate:
    """`interval` nanoseconds between calls in the long run, and `burst` calls at once."""

    interval: int
    burst: int
    text: str

    @classmethod
    def parse(cls, text: str) -> "Rate":
        """Reads "60/minute" or "10/second burst 20". Raises ValueError.

        Without a burst it is the number itself: a minute's worth may come at once. The interval
        is rounded up, so that never more than the limit passes.
        """
        text = text.strip(" ")
        match = _LIMIT.fullmatch(text)
        if not match or not int(match[1]) or (match[3] and not int(match[3])):
            raise ValueError(f"{text!r} is no limit; write for instance '60/minute burst 10'")
        count, period = int(match[1]), _UNITS[match[2]]
        if count > FASTEST * period:
            raise ValueError(f"{text!r} is over {FASTEST} calls a second, which limits nothing")
        return cls(-(-period * SECOND // count), int(match[3] or count), text)


def charge(tat: int, now: int, rate: Rate) -> tuple[int, int]:
    """Charges one call: (the new theoretical arrival time, 0), or (the old one, the wait).

    `tat` is 0 for a key that was never charged. All in nanoseconds of one clock.
    """
    new = max(tat, now) + rate.interval
    wait = new - now - rate.burst * rate.interval
    return (tat, wait) if wait > 0 else (new, 0)
