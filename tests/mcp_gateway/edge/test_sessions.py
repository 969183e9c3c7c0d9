"""A session is its principal's alone."""

from dataclasses import replace
from typing import Any

import pytest

from mcp_gateway.edge import sessions
from mcp_gateway.edge.sessions import Sessions
from tests.support.calls import ALICE


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.requirement("edge:sessions-are-bound")
@pytest.mark.parametrize("field", ["issuer", "subject", "tenant", "client", "actor", "mode"])
def test_a_session_is_found_by_the_very_principal_that_began_it(field: str) -> None:
    open_ = Sessions()
    session = open_.begin(ALICE, "", "2025-11-25", "")
    changed: dict[str, Any] = {field: "other"}

    assert open_.find(session.id, ALICE, "") is session
    assert open_.find(session.id, replace(ALICE, **changed), "") is None
    assert open_.find(session.id, ALICE, "orders") is None


def test_who_opens_many_sessions_loses_their_own_oldest_and_nobody_elses() -> None:
    open_ = Sessions()
    bob = replace(ALICE, subject="bob")
    his = open_.begin(bob, "", "2025-11-25", "")
    first = open_.begin(ALICE, "", "2025-11-25", "")
    for _ in range(sessions.MOST_EACH):
        open_.begin(ALICE, "", "2025-11-25", "")

    assert open_.find(first.id, ALICE, "") is None
    assert open_.find(his.id, bob, "") is his


def test_an_idle_session_is_forgotten() -> None:
    clock = Clock()
    open_ = Sessions(clock)
    session = open_.begin(ALICE, "", "2025-11-25", "")
    clock.now = sessions.IDLE + 1

    assert open_.find(session.id, ALICE, "") is None


def test_when_there_are_too_many_the_one_idle_longest_makes_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sessions, "MOST", 3)
    open_ = Sessions()
    subjects = [replace(ALICE, subject=name) for name in ("a", "b", "c", "d")]
    begun = [open_.begin(subject, "", "2025-11-25", "") for subject in subjects[:3]]
    open_.find(begun[0].id, subjects[0], "")

    open_.begin(subjects[3], "", "2025-11-25", "")

    found = [open_.find(s.id, p, "") for s, p in zip(begun, subjects, strict=False)]
    assert found == [begun[0], None, begun[2]]


def test_those_that_are_idle_make_room_before_anybody_has_to() -> None:
    clock = Clock()
    open_ = Sessions(clock)
    for number in range(5):
        open_.begin(replace(ALICE, subject=str(number)), "", "2025-11-25", "")
    clock.now = sessions.IDLE

    session = open_.begin(ALICE, "", "2025-11-25", "")

    assert list(open_._open) == [session.id]
