"""GCRA, the generic cell rate algorithm: one number per key, given the time. Pure."""

import re
from dataclasses import dataclass
from typing import Final

SECOND: Final = 1_000_000_000
_UNITS: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_LIMIT: Final = re.compile(r"(\d+)/(second|minute|hour|day)(?: burst (\d+))?")


@dataclass(frozen=True, slots=True)
class Rate:
    """`interval` nanoseconds between calls in the long run, and `burst` calls at once."""

    interval: int
    burst: int
    text: str

    @classmethod
    def parse(cls, text: str) -> "Rate":
        """Reads "60/minute" or "10/second burst 20". Raises ValueError.

        Without a burst it is the number itself: a minute's worth may come at once.
        """
        match = _LIMIT.fullmatch(text.strip())
        if not match or not int(match[1]) or match[3] == "0":
            raise ValueError(f"{text!r} is no limit; write for instance '60/minute burst 10'")
        count = int(match[1])
        interval = max(1, _UNITS[match[2]] * SECOND // count)
        return cls(interval, int(match[3] or count), text.strip())


def charge(tat: int, now: int, rate: Rate) -> tuple[int, int]:
    """Charges one call: (the new theoretical arrival time, 0), or (the old one, the wait).

    `tat` is 0 for a key that was never charged. All in nanoseconds of one clock.
    """
    new = max(tat, now) + rate.interval
    wait = new - now - rate.burst * rate.interval
    return (tat, wait) if wait > 0 else (new, 0)
