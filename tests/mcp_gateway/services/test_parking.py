"""What waits for an answer: kept for one caller, once, for a time."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from mcp_gateway.core.asking import Fate, Resumed
from mcp_gateway.core.call import Call, child_of
from mcp_gateway.core.credential import Shown
from mcp_gateway.core.errors import QuestionExpired
from mcp_gateway.core.snapshot import Current
from mcp_gateway.services import parking
from mcp_gateway.services.parking import MOST, MOST_EACH, Parking
from tests.support.calls import ALICE, REFUND, resolved, snapshot
from tests.support.fakes import DENIED, WHO, FakeLedger, FakeParked, FakePolicy


class World:
    def __init__(self, **ledger: Any) -> None:
        self.now = 1000.0
        self.ledger = FakeLedger(**ledger)
        self.parking = Parking(self.ledger, lambda: 600.0, lambda: self.now)

    def keep(self, id_: str = "c-1", **changes: Any) -> FakeParked:
        parked = FakeParked()
        self.parking.keep(resolved(id=id_, **changes), parked)
        return parked

    async def ended(self) -> None:
        """Waits for what is being cancelled."""
        await asyncio.gather(*self.parking._ending)


def answer(park: str = "c-1") -> Call:
    made = resolved(id="c-2")
    made.resumed = Resumed(parent=park, park=park)
    return made


@pytest.mark.requirement("parks:single-use")
async def test_what_waits_is_taken_once() -> None:
    world = World()
    parked = world.keep()

    assert world.parking.take(answer()) is parked
    with pytest.raises(QuestionExpired, match="call again"):
        world.parking.take(answer())


@pytest.mark.requirement("parks:expire")
async def test_what_nobody_answers_for_ten_minutes_is_cancelled_and_recorded() -> None:
    world = World()
    parked = world.keep(parent="c-0")
    world.now += 599
    world.parking.look()
    assert len(world.parking) == 1

    world.now += 1
    world.parking.look()
    await world.ended()

    assert parked.abandoned == 1
    entry = world.ledger.last
    assert (entry.kind, entry.call, entry.subject) == ("expired", "c-1", "local|alice")
    assert entry.body == {"reason": "unanswered", "parent": "c-0"}
    assert entry.common.fields["target"] == "tool/github/add"
    with pytest.raises(QuestionExpired):
        world.parking.take(answer())


@pytest.mark.requirement("parks:expire")
async def test_an_answer_that_is_late_by_a_moment_is_late() -> None:
    world = World()
    parked = world.keep()
    world.now += 600

    with pytest.raises(QuestionExpired):
        world.parking.take(answer())
    await world.ended()

    assert (parked.abandoned, parked.resumed) == (1, [])


async def test_a_job_looks_for_what_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parking, "EVERY", 0.001)
    world = World()
    parked = world.keep()
    world.now += 600
    looking = asyncio.ensure_future(world.parking.expire())

    async with asyncio.timeout(5):
        while not parked.abandoned:
            await asyncio.sleep(0)
    looking.cancel()


@pytest.mark.requirement("parks:ended-by-name")
async def test_what_is_ended_says_why_and_what_is_not_there_is_no_matter() -> None:
    world = World()
    parked = world.keep()

    world.parking.end("c-1", "revoked")
    world.parking.end("c-1", "revoked")
    world.parking.end("unknown", "cancelled")
    await world.ended()

    assert parked.abandoned == 1
    assert [entry.body["reason"] for entry in world.ledger.entries] == ["revoked"]


@pytest.mark.requirement("parks:bounded")
async def test_who_leaves_many_waiting_loses_their_oldest_and_nobody_elses() -> None:
    world = World()
    bobs = world.keep("bob", principal=replace(ALICE, subject="bob"))
    # Another token is still the same person.
    tokens = [replace(ALICE, scopes=frozenset({str(n)})) for n in range(MOST_EACH + 1)]

    alices = [world.keep(f"c-{n}", principal=token) for n, token in enumerate(tokens)]
    await world.ended()

    assert [each.abandoned for each in alices] == [1] + [0] * MOST_EACH
    assert bobs.abandoned == 0
    assert world.ledger.last.body["reason"] == "displaced"


@pytest.mark.requirement("parks:bounded")
async def test_when_all_is_taken_who_has_most_makes_room() -> None:
    world = World()
    many = [world.keep(f"many-{n}") for n in range(MOST_EACH)]
    for n in range(MOST - MOST_EACH):
        world.keep(f"one-{n}", principal=replace(ALICE, subject=str(n)))

    world.keep("new", principal=replace(ALICE, subject="new"))
    await world.ended()

    assert len(world.parking) == MOST
    assert [each.abandoned for each in many] == [1] + [0] * (MOST_EACH - 1)


@pytest.mark.requirement("parks:expire")
async def test_the_end_of_the_gateway_cancels_all_of_them_and_keeps_none() -> None:
    world = World()
    parked = world.keep()

    await world.parking.aclose()
    late = world.keep("c-9")
    await world.ended()

    assert (parked.abandoned, late.abandoned, len(world.parking)) == (1, 1, 0)
    assert {entry.body["reason"] for entry in world.ledger.entries} == {"stopped"}


async def test_an_upstream_that_cannot_be_told_is_recorded_all_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Stubborn(FakeParked):
        async def abandon(self) -> None:
            raise ConnectionResetError

    world = World()
    world.parking.keep(resolved(), Stubborn())
    await world.parking.aclose()

    assert world.ledger.kinds == ["expired"]
    assert "ConnectionResetError" in caplog.text


async def test_a_ledger_that_cannot_be_written_keeps_no_upstream_waiting(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(broken={"expired"})
    parked = world.keep()

    await world.parking.aclose()

    assert parked.abandoned == 1
    assert "could not be recorded" in caplog.text


@pytest.mark.requirement("standing:authorized-again-on-each-swap")
@pytest.mark.parametrize(
    ("changes", "revoked"),
    [
        ({}, False),
        ({"policy": FakePolicy(DENIED)}, False),
        ({"targets": [REFUND]}, False),
        ({}, True),
        ({"tenant": "other"}, False),
    ],
    ids=["as before", "denied", "the server is gone", "revoked", "the tenant is gone"],
)
async def test_what_its_caller_could_not_begin_any_more_is_cancelled(
    changes: Any, *, revoked: bool
) -> None:
    world = World()
    parked = world.keep()
    current = Current()
    current.swap(snapshot(**changes))

    world.parking.look_again(current, lambda _: revoked)
    await world.ended()

    stays = not changes and not revoked
    assert (len(world.parking), parked.abandoned) == ((1, 0) if stays else (0, 1))
    assert [entry.body["reason"] for entry in world.ledger.entries] == ["revoked"] * (not stays)


@pytest.mark.requirement("revocation:closes-what-is-open")
async def test_what_its_caller_showed_is_asked_for_and_shown_to_nobody_else() -> None:
    world, current, seen = World(), Current(), list[Shown]()
    shown = Shown(b"Bearer the-key", "/mcp")
    world.keep(shown=shown)
    current.swap(snapshot())

    world.parking.look_again(current, lambda one: bool(seen.append(one)))  # type: ignore[func-returns-value]

    assert seen == [shown]
    assert "the-key" not in repr(vars(world.parking))


def asked_call(**changes: Any) -> Call:
    """A call of whose upstream two questions were put."""
    made = resolved(**changes)
    made.children = tuple(child_of(made, number, WHO) for number in (1, 2))
    return made


@pytest.mark.requirement("questions:taken-back-are-told-and-recorded")
@pytest.mark.parametrize(
    ("fate", "reason"), [("taken_back", "cancelled"), ("answered", "answered")]
)
async def test_what_is_taken_back_has_an_outcome_for_each_question_and_waits_for_its_caller(
    fate: Fate, reason: str
) -> None:
    world, parked = World(), FakeParked()
    world.parking.keep(asked_call(), parked)
    waiting = asyncio.ensure_future(world.parking.unasked("c-1"))
    await asyncio.sleep(0)
    assert not waiting.done()

    parked.becomes(fate)
    await waiting
    await world.ended()

    assert world.ledger.kinds == ["outcome", "outcome"]
    assert [entry.call for entry in world.ledger.entries] == ["c-1.1", "c-1.2"]
    assert world.ledger.last.body == {"outcome": "taken_back", "reason": reason, "parent": "c-1"}
    assert world.ledger.last.subject == "local|alice"
    assert world.ledger.last.common.fields["method"] == "elicitation/create"
    assert world.parking.take(answer()) is parked
    assert parked.abandoned == 0


@pytest.mark.requirement("parks:end-with-their-caller")
async def test_what_an_upstream_that_is_gone_asked_is_ended_at_once() -> None:
    world, parked = World(), FakeParked()
    world.parking.keep(asked_call(), parked)

    parked.becomes("lost")
    await world.parking.unasked("c-1")
    await world.ended()

    assert (len(world.parking), parked.abandoned) == (0, 1)
    assert [entry.body for entry in world.ledger.entries] == [{"reason": "lost"}]


async def test_what_was_answered_or_ended_is_watched_no_more() -> None:
    world = World()
    one, two = world.keep("c-1"), world.keep("c-2")
    waiting = [asyncio.ensure_future(world.parking.unasked(id_)) for id_ in ("c-1", "c-2")]
    await asyncio.sleep(0)

    world.parking.take(answer("c-1"))
    world.parking.end("c-2", "revoked")
    await asyncio.gather(*waiting)
    one.becomes("taken_back")
    two.becomes("lost")
    await world.ended()
    await world.parking.unasked("unknown")

    assert [entry.body for entry in world.ledger.entries] == [{"reason": "revoked"}]
    assert world.parking._watching == {}
