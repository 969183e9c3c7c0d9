"""Counts: what the suite found, scenario by scenario, and where it is not as it should be."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

_MOMENT: Final = re.compile(r"-\d{4}-\d\d-\d\dT[\d-]+Z$")
"""What the suite puts behind the name of a scenario: the moment at which it ran."""
_KEYS: Final = {"passed": "SUCCESS", "failed": "FAILURE", "warned": "WARNING", "skipped": "SKIPPED"}


@dataclass(frozen=True, slots=True)
class Count:
    """The checks of one scenario. `faults` says of each that did not pass what was wrong."""

    passed: int = 0
    failed: int = 0
    warned: int = 0
    skipped: int = 0
    faults: tuple[str, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        said = {"passed": self.passed, "failed": self.failed, "warned": self.warned}
        return ", ".join(f"{n} {name}" for name, n in said.items() if n) or "no check ran"

    def strict(self) -> "Count":
        """The same where what the suite warns of is a failure."""
        return replace(self, failed=self.failed + self.warned, warned=0)

    def worse(self, than: "Count") -> bool:
        return self.passed < than.passed or self.failed > than.failed


Counts = Mapping[str, Count]
ABSENT: Final = Count()


@dataclass(frozen=True, slots=True)
class Known:
    """A difference that is known: how many checks pass all the same, and why no more do."""

    passed: int
    why: str


def read(folder: Path) -> Counts:
    """What the suite wrote into a folder. A client scenario of a group has the group's name too."""
    found = {}
    for file in sorted(folder.rglob("checks.json")):
        name = _MOMENT.sub("", file.parent.relative_to(folder).as_posix())
        found[name.removeprefix("server-")] = _count(json.loads(file.read_text("utf-8")))
    return found


def _count(checks: list[Mapping[str, str]]) -> Count:
    status = Counter(check["status"] for check in checks)
    faults = [
        f"{check['status'].lower()} {check['id']}: {check.get('errorMessage', '')}"
        for check in checks
        if check["status"] not in ("SUCCESS", "INFO")
    ]
    return Count(**{name: status[key] for name, key in _KEYS.items()}, faults=tuple(faults))


def passed(counts: Counts) -> int:
    return sum(count.passed for count in counts.values())


def differing(counts: Counts, direct: Counts) -> Mapping[str, Count]:
    """The scenarios that came out worse than without a gateway, or did not run."""
    found = {name: counts.get(name, ABSENT) for name in direct}
    return {name: count for name, count in found.items() if count.worse(direct[name])}


def faults(counts: Counts, direct: Counts, expected: Mapping[str, Known]) -> Iterator[str]:
    """What is worse than is known, and what is better: the list of what is known only shrinks."""
    worse = differing(counts, direct)
    for name in sorted({*counts, *expected} - direct.keys()):
        yield f"{name}: there is no direct figure for it"
    for name in sorted(expected.keys() & direct.keys() - worse.keys()):
        yield f"{name}: passes, and is listed as a known difference: take it out"
    for name, count in sorted(worse.items()):
        known = expected.get(name)
        if known is None:
            yield f"{name}: {count}; directly {direct[name]}"
        elif count.passed < known.passed:
            yield f"{name}: {count}; {known.passed} are known to pass"
        elif count.passed > known.passed:
            yield f"{name}: {count}; listed with {known.passed}: write the new number"
