"""Attendance before an upstream that a test plays."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest

from mcp_gateway.config import Server
from mcp_gateway.core.change import Change, Interest
from mcp_gateway.core.credential import Credential
from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.services import attendance
from mcp_gateway.services.attendance import Attendance
from mcp_gateway.services.bulletin import Bulletin
from mcp_gateway.services.lease import Leased
from mcp_gateway.services.servers import Running
from tests.support.fakes import FakeConnector, shows_nothing
from tests.support.waiting import until

TOOLS = Change("tools", "up")
NOTE = Change("resource", "up", "note://a")


@dataclass
class Speaking(FakeConnector):
    """An upstream that says what it is told to. `ends` says how its listens end, in order."""

    ends: list[BaseException] = field(default_factory=list)
    heard: list[frozenset[str]] = field(default_factory=list)
    announce: Callable[[Change], None] | None = None

    async def attend(
        self,
        credential: Credential,  # noqa: ARG002  # the port's
        interest: Interest,
        announce: Callable[[Change], None],
    ) -> None:
        if self.ends:
            raise self.ends.pop(0)
        self.announce = announce
        while True:
            interest.altered.clear()
            self.heard.append(interest.uris)
            interest.settled.set()
            await interest.altered.wait()


class Desk:
    """One upstream that is attended, and what is told of it."""

    def __init__(self, connector: FakeConnector) -> None:
        self.told: list[Change] = []
        bulletin = Bulletin()
        bulletin.subscribe(self.told.append)
        self.attendance = Attendance(bulletin)
        self.running = Running("up", Server(connector="x"), Leased("up", connector), shows_nothing)
        following = self.attendance.follow(self.running)
        self.task = asyncio.get_running_loop().create_task(following)


@pytest.fixture
async def speaking() -> AsyncIterator[tuple[Speaking, Desk]]:
    upstream = Speaking()
    desk = Desk(upstream)
    desk.running.answering.set()
    await until(lambda: upstream.announce)
    yield upstream, desk
    desk.task.cancel()


def _said(upstream: Speaking, change: Change) -> None:
    assert upstream.announce is not None
    upstream.announce(change)


async def test_nobody_is_listened_to_before_they_answer() -> None:
    upstream = Speaking()
    desk = Desk(upstream)
    for _ in range(5):
        await asyncio.sleep(0)
    before = upstream.announce
    desk.running.answering.set()
    await until(lambda: upstream.announce)
    desk.task.cancel()

    assert before is None


@pytest.mark.requirement("listens:announcements-arrive-at-once")
async def test_a_list_is_told_of_once_somebody_has_looked(
    speaking: tuple[Speaking, Desk],
) -> None:
    upstream, desk = speaking
    _said(upstream, TOOLS)
    _said(upstream, TOOLS)
    before = list(desk.told)
    desk.attendance.looked(desk.running)
    desk.attendance.looked(desk.running)

    assert desk.running.wanted.is_set()
    assert (before, desk.told) == ([], [TOOLS])


@pytest.mark.requirement("listens:announcements-arrive-at-once")
async def test_a_look_that_takes_long_delays_nobody(
    speaking: tuple[Speaking, Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attendance, "LATEST", 0.01)
    upstream, desk = speaking
    _said(upstream, TOOLS)

    await until(lambda: desk.told == [TOOLS])


async def test_a_resource_is_told_of_at_once(speaking: tuple[Speaking, Desk]) -> None:
    upstream, desk = speaking
    _said(upstream, NOTE)

    assert (desk.told, desk.running.wanted.is_set()) == ([NOTE], False)


async def test_an_upstream_is_asked_for_what_all_want_together(
    speaking: tuple[Speaking, Desk],
) -> None:
    upstream, desk = speaking
    withdraw = desk.attendance.ask("up", ["note://a", "note://b"])
    await desk.attendance.settled("up")
    again = desk.attendance.ask("up", ["note://a"])
    withdraw()
    await desk.attendance.settled("up")
    again()
    await desk.attendance.settled("up")

    both = frozenset({"note://a", "note://b"})
    assert upstream.heard == [frozenset(), both, frozenset({"note://a"}), frozenset()]


async def test_a_task_is_followed_once_its_upstream_says_so_and_for_as_long_as_it_is_heard(
    speaking: tuple[Speaking, Desk],
) -> None:
    _, desk = speaking
    interest = desk.attendance._interest("up")
    withdraw = desk.attendance.ask("up", ["note://a"], tasks=["t", "u"])
    await desk.attendance.settled("up")
    wanted, interest.honoured = interest.tasks, frozenset({"t"})
    during = [desk.attendance.follows("up", task) for task in ("t", "u")]
    withdraw()
    await desk.attendance.settled("up")
    left = (interest.uris, interest.tasks)
    desk.task.cancel()
    await asyncio.gather(desk.task, return_exceptions=True)

    assert wanted == frozenset({"t", "u"})
    assert during == [True, False]
    assert left == (frozenset(), frozenset())
    assert not desk.attendance.follows("up", "t")


async def test_a_listen_that_fails_is_begun_anew_after_a_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attendance, "FIRST_PAUSE", 0.01)
    upstream = Speaking(ends=[UpstreamFailed("gone"), ValueError("nonsense"), KeyError("a fault")])
    desk = Desk(upstream)
    desk.running.answering.set()
    await until(lambda: upstream.announce)
    desk.task.cancel()

    assert desk.running.wanted.is_set()
    assert desk.attendance.hears("up")


@pytest.mark.parametrize(
    "connector", [FakeConnector(), Speaking(ends=[NotImplementedError()])], ids=["never", "not now"]
)
async def test_of_an_upstream_that_says_nothing_nothing_is_promised(
    connector: FakeConnector,
) -> None:
    desk = Desk(connector)
    desk.running.answering.set()
    await until(lambda: not desk.attendance.hears("up") and "up" in desk.attendance._deaf)
    await desk.attendance.settled("up")
    desk.task.cancel()
    await asyncio.gather(desk.task, return_exceptions=True)

    assert not desk.attendance.hears("up")


async def test_a_server_that_is_taken_away_is_heard_no_more(
    speaking: tuple[Speaking, Desk],
) -> None:
    _, desk = speaking
    before = desk.attendance.hears("up")
    desk.task.cancel()
    await asyncio.gather(desk.task, return_exceptions=True)

    assert (before, desk.attendance.hears("up")) == (True, False)


@pytest.mark.requirement("attack:f6")
async def test_a_server_that_each_person_connects_is_listened_to_as_nobody() -> None:
    upstream = Speaking()
    desk = Desk(upstream)
    delegated = {"connector": "x", "grant": {"kind": "delegated"}}
    desk.running.config = Server.model_validate(delegated)
    desk.running.answering.set()

    await until(lambda: "up" in desk.attendance._deaf)

    assert not desk.attendance.hears("up")
    assert upstream.heard == []
    desk.task.cancel()
