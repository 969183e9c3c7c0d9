"""Decision and Obligation: the policy's answer, and what it makes the gateway owe."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, NamedTuple

Side = Literal["request", "result"]
Prospect = Literal["allow", "depends", "deny"]


class Effect(StrEnum):
    """What a rule says."""

    ALLOW = "allow"
    DENY = "deny"


class Obligation(NamedTuple):
    """Something owed for an allowed call, before it is sent or before it is answered.

    A tuple, since it is hashed many times in every call.
    """

    name: str
    value: str = ""
    side: Side = "request"

    def __str__(self) -> str:
        return f"{self.name}:{self.value}" if self.value else self.name


@dataclass(frozen=True, slots=True)
class Decision:
    """The policy's answer to one call.

    `rule` is the id of the rule that decided, empty when none matched. `named` says whether the
    principal may know that the target exists: they have an allow on some target of its server.
    """

    effect: Effect
    rule: str
    reason: str
    obligations: frozenset[Obligation] = frozenset()
    named: bool = False

    @property
    def allowed(self) -> bool:
        return self.effect is Effect.ALLOW


def by_side(obligations: Iterable[Obligation]) -> Mapping[Side, frozenset[Obligation]]:
    """The obligations, parted."""
    parted: dict[Side, set[Obligation]] = {"request": set(), "result": set()}
    for obligation in obligations:
        parted[obligation.side].add(obligation)
    return {side: frozenset(found) for side, found in parted.items()}


UNDECIDED: Final = Decision(Effect.DENY, rule="", reason="undecided")

RECORD: Final = Obligation("record")
LIMIT: Final = Obligation("limit")
APPROVAL: Final = Obligation("approval")
CREDENTIAL: Final = Obligation("credential")
STANDING: Final = frozenset({RECORD, LIMIT, APPROVAL, CREDENTIAL})
"""Owed for every call, whatever is configured."""
NEVER: Final = frozenset({Obligation("never"), Obligation("never", side="result")})
"""Owed for a call to a server that nobody knows: no stage discharges it."""
