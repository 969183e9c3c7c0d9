"""Differences: what an upstream lists now, beside what was approved of it. Pure."""

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from mcp_gateway.core.target import Definition, Target
from mcp_gateway.store.pins import PinKey
from mcp_gateway.store.tables import PinRow
from mcp_gateway.wire.canonical import canonical, strict

MOST_LINES: Final = 1000
"""Of one definition: to compare two of more takes long, and nobody reads it."""
MOST_COMPARED: Final = 100
"""Definitions of which the text is compared; the others are named."""

State = Literal["new", "changed", "gone", "flawed"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One definition that is not as it was approved. `diff` is unified, a line a member.

    What stands in it is a stranger's: it is to be shown as text.
    """

    target: str
    state: State
    era: str
    diff: Sequence[str]


def between(
    pinned: Mapping[PinKey, PinRow], listed: Sequence[Definition], era: str, *, whole: bool = True
) -> list[Difference]:
    """By target. What is pinned and not listed is gone, where the list is `whole`."""
    found: list[Difference] = []
    for state, approved, now in _pairs(pinned, listed, whole=whole):
        target = _target(approved, now)
        compared = len(found) < MOST_COMPARED and state != "flawed"
        diff = _diff(approved, now) if compared else [now.flaw] if now and now.flaw else []
        found.append(Difference(target, state, era, diff))
    return sorted(found, key=lambda difference: difference.target)


def _pairs(
    pinned: Mapping[PinKey, PinRow], listed: Sequence[Definition], *, whole: bool
) -> Iterator[tuple[State, PinRow | None, Definition | None]]:
    gone = dict(pinned)
    for definition in listed:
        key = (definition.kind, definition.name)
        gone.pop(key, None)
        approved = pinned.get(key)  # of which several persons may be shown other words
        if definition.flaw:
            yield "flawed", approved, definition
        elif approved is None:
            yield "new", None, definition
        elif approved.digest != definition.digest:
            yield "changed", approved, definition
    if whole:
        yield from (("gone", approved, None) for approved in gone.values())


def _target(approved: PinRow | None, listed: Definition | None) -> str:
    if listed:
        return str(Target(listed.kind, listed.server, listed.name))
    return f"{approved.kind}/{approved.server}/{approved.name}" if approved else ""


def _diff(approved: PinRow | None, listed: Definition | None) -> Sequence[str]:
    before = _lines(approved.definition) if approved else []
    after = _lines(listed.raw) if listed else []
    if max(len(before), len(after)) > MOST_LINES:
        return [f"{len(before)} lines became {len(after)}: too many to compare"]
    names = ("approved " + _digest(approved), "listed " + _digest(listed))
    return list(difflib.unified_diff(before, after, *names, lineterm=""))


def _digest(of: PinRow | Definition | None) -> str:
    return of.digest[:19] if of else "nothing"


def _lines(raw: bytes) -> list[str]:
    """The canonical form, a line a member: what differs here differs in what was digested."""
    value = json.loads(canonical(strict(raw)))
    return json.dumps(value, ensure_ascii=False, indent=2).splitlines()
