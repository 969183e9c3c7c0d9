"""A session is its principal's alone."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from mcp_gateway.config import SessionsSection
from mcp_gateway.core.credential import Shown
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


@pytest.mark.requirement("edge:sessions-are-bound")
def test_a_renewed_token_with_other_roles_and_scopes_keeps_its_session() -> None:
    open_ = Sessions()
    session = open_.begin(ALICE, "", "2025-11-25", "")
    renewed = replace(ALICE, roles=frozenset({"admin"}), scopes=frozenset({"more"}))

    found = open_.find(session.id, renewed, "")
    open_.end(session)

    assert found is session
    assert session.principal is renewed
    assert open_._of == {}


@pytest.mark.requirement("edge:sessions-are-bounded")
def test_who_opens_many_sessions_loses_their_own_oldest_and_nobody_elses() -> None:
    open_ = Sessions(SessionsSection(each=5))
    bob = replace(ALICE, subject="bob")
    his = open_.begin(bob, "", "2025-11-25", "")
    first = open_.begin(ALICE, "", "2025-11-25", "")
    for _ in range(5):
        open_.begin(ALICE, "", "2025-11-25", "")

    assert open_.find(first.id, ALICE, "") is None
    assert open_.find(his.id, bob, "") is his


@pytest.mark.requirement("edge:sessions-are-bounded")
def test_an_idle_session_is_forgotten() -> None:
    clock = Clock()
    open_ = Sessions(SessionsSection(idle=60), clock)
    session = open_.begin(ALICE, "", "2025-11-25", "")
    clock.now = 59
    assert open_.find(session.id, ALICE, "") is session

    clock.now = 59 + 60

    assert open_.find(session.id, ALICE, "") is None


@pytest.mark.requirement("edge:sessions-are-bounded")
def test_a_session_that_is_used_all_the_time_has_an_end_too() -> None:
    clock = Clock()
    open_ = Sessions(SessionsSection(idle=60, age=300), clock)
    session = open_.begin(ALICE, "", "2025-11-25", "")
    for clock.now in range(0, 300, 50):
        assert open_.find(session.id, ALICE, "") is session

    clock.now = 300

    assert open_.find(session.id, ALICE, "") is None
    assert len(open_) == 0


async def test_a_session_in_which_something_runs_is_not_idle() -> None:
    clock = Clock()
    open_ = Sessions(SessionsSection(idle=60), clock)
    session = open_.begin(ALICE, "", "2025-11-25", "")
    task = session.running[b"1"] = asyncio.ensure_future(asyncio.Event().wait())
    clock.now = 61

    open_.begin(ALICE, "", "2025-11-25", "")

    assert open_.find(session.id, ALICE, "") is session
    task.cancel()


@pytest.mark.requirement("edge:sessions-are-bounded")
def test_bounds_that_change_hold_for_sessions_that_are_open() -> None:
    clock = Clock()
    open_ = Sessions(SessionsSection(), clock)
    session = open_.begin(ALICE, "", "2025-11-25", "")
    clock.now = 31

    open_.settings = SessionsSection(idle=30)

    assert open_.find(session.id, ALICE, "") is None


@pytest.mark.requirement("edge:sessions-are-bounded")
def test_ten_thousand_sessions_of_as_many_callers_leave_nothing_behind() -> None:
    open_ = Sessions(SessionsSection(most=100))
    for number in range(10_000):
        session = open_.begin(replace(ALICE, subject=str(number)), "", "2025-11-25", "")
        trail = session.events.begin()
        session.events.add(trail, b"x" * 100)
        if number % 2:
            open_.end(session)

    assert len(open_) <= 100
    assert len(open_._of) == len(open_)
    assert open_._room.size == 100 * len(open_)
    for session in list(open_._open.values()):
        open_.end(session)
    assert (len(open_), open_._of, open_._room.size, open_._room._stores) == (0, {}, 0, {})


@pytest.mark.requirement("edge:sessions-are-bounded")
def test_when_there_are_too_many_the_one_idle_longest_makes_room() -> None:
    open_ = Sessions(SessionsSection(most=3))
    subjects = [replace(ALICE, subject=name) for name in ("a", "b", "c", "d")]
    begun = [open_.begin(subject, "", "2025-11-25", "") for subject in subjects[:3]]
    open_.find(begun[0].id, subjects[0], "")

    open_.begin(subjects[3], "", "2025-11-25", "")

    found = [open_.find(s.id, p, "") for s, p in zip(begun, subjects, strict=False)]
    assert found == [begun[0], None, begun[2]]


def test_those_that_are_idle_make_room_before_anybody_has_to() -> None:
    clock = Clock()
    open_ = Sessions(SessionsSection(idle=60), clock)
    for number in range(5):
        open_.begin(replace(ALICE, subject=str(number)), "", "2025-11-25", "")
    clock.now = 60

    session = open_.begin(ALICE, "", "2025-11-25", "")

    assert list(open_._open) == [session.id]


@pytest.mark.requirement("revocation:closes-what-is-open")
async def test_the_sessions_of_who_was_revoked_end_though_nothing_runs_in_them() -> None:
    open_ = Sessions()
    bob = replace(ALICE, subject="bob")
    hers = [open_.begin(ALICE, "", "2025-11-25", "", Shown(b"Bearer a", "/mcp")) for _ in range(3)]
    his = open_.begin(bob, "", "2025-11-25", "", Shown(b"Bearer b", "/mcp"))

    await open_.look_again(lambda shown: shown.token == "a")

    assert [open_.find(session.id, ALICE, "") for session in hers] == [None] * 3
    assert open_.find(his.id, bob, "") is his
    assert len(open_) == 1


@pytest.mark.requirement("revocation:closes-what-is-open")
async def test_a_session_is_looked_at_with_what_was_shown_last() -> None:
    open_ = Sessions()
    session = open_.begin(ALICE, "orders", "2025-11-25", "", Shown(b"Bearer old", "/there"))
    renewed = replace(ALICE, scopes=frozenset({"more"}))

    open_.find(session.id, renewed, "orders", b"Bearer new")
    seen = list[tuple[str, str]]()
    await open_.look_again(lambda shown: bool(seen.append((shown.token, shown.path))))  # type: ignore[func-returns-value]

    assert seen == [("new", "/there")]
    assert "new" not in repr(session)


async def test_many_sessions_are_looked_at_in_turns_with_what_else_there_is_to_do() -> None:
    open_ = Sessions(SessionsSection(each=10_000))
    for number in range(350):
        open_.begin(ALICE, "", "2025-11-25", "", Shown(b"Bearer %d" % number))
    turns = list[int]()

    async def others() -> None:
        while True:
            turns.append(len(open_))
            await asyncio.sleep(0)

    other = asyncio.get_running_loop().create_task(others())
    await open_.look_again(lambda _: True)
    other.cancel()

    assert len(open_) == 0
    assert set(turns) == {251, 151, 51}
