"""When an issuer is asked for a token, and what becomes of the token then."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest

from mcp_gateway.core.errors import UpstreamFailed, UpstreamTimedOut
from mcp_gateway.core.principal import Principal
from mcp_gateway.oauth.claims import TokenRefused
from mcp_gateway.oauth.rfc9068 import LEEWAY, Accepted, StateUnknown
from mcp_gateway.services import introspections
from mcp_gateway.services.introspections import AT_ONCE, BOUND, Introspections
from tests.support.fakes import FakeLedger
from tests.support.waiting import until

ALICE = Principal("https://login.example.com", "alice", "acme")
SHORT = 0.01
"""Seconds of the real clock between two questions, in place of the gateway's fifteen."""


@dataclass
class Issuer:
    """Answers as it is told to: whether a token is good, an error, or not before `go`."""

    answer: bool | Exception = True
    answers: dict[str, bool | Exception] = field(default_factory=dict)
    issuer: str = "https://login.example.com"
    asked: list[str] = field(default_factory=list)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: int = 0
    most: int = 0

    async def is_active(self, token: str) -> bool:
        self.asked.append(token)
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        await self.go.wait()
        self.waiting -= 1
        answer = self.answers.get(token, self.answer)
        if isinstance(answer, Exception):
            raise answer
        return answer


class World:
    def __init__(self, most: int = 100) -> None:
        self.clock = 1000.0
        self.issuer = Issuer()
        self.issuer.go.set()
        self.ledger = FakeLedger()
        self.looks = 0
        self.watching = Introspections(
            self.ledger, self._look, lambda: self.clock, lambda: 1_000_000.0, most
        )
        self.watching.ask(self.issuer)

    def _look(self) -> None:
        self.looks += 1

    def use(self, name: str = "t", lives: int = 300) -> None:
        names = frozenset({f"token:iss|{name}", "subject:iss|alice"})
        accepted = Accepted(ALICE, 1_000_000, 1_000_000 + lives, frozenset(), names)
        self.watching.seen(name.encode(), name.encode(), accepted)

    def refused(self, name: str = "t") -> TokenRefused:
        with pytest.raises(TokenRefused) as error:
            self.use(name)
        return error.value

    async def until_asked(self, times: int) -> None:
        await until(lambda: len(self.issuer.asked) >= times)

    async def go_on(self, issuer: Issuer) -> None:
        """Waits until another token has been asked for again and again."""
        issuer.answers["another"] = True
        for _ in range(5):
            await self._asked_again(issuer, issuer.asked.count("another"))

    async def _asked_again(self, issuer: Issuer, before: int) -> None:
        self.use("another")
        await until(lambda: issuer.asked.count("another") > before)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(introspections, "EVERY", SHORT)
    monkeypatch.setattr(introspections, "PAUSE", SHORT)


@pytest.fixture
async def make() -> AsyncIterator[Callable[..., World]]:
    following: list[asyncio.Future[None]] = []

    def made(most: int = 100) -> World:
        world = World(most)
        following.append(asyncio.ensure_future(world.watching.follow()))
        return world

    yield made
    for task in following:
        task.cancel()
    await asyncio.gather(*following, return_exceptions=True)


Make = Callable[..., World]


@pytest.mark.requirement("revocation:issuers-are-asked")
async def test_a_token_is_asked_for_at_once_again_while_it_is_used_and_not_at_rest(
    make: Make,
) -> None:
    world = make()

    world.use()
    await world.until_asked(1)
    world.use()
    await world.until_asked(2)
    await until(lambda: len(world.watching) == 0)
    before = world.issuer.asked.count("t")
    await world.go_on(world.issuer)
    at_rest = world.issuer.asked.count("t") - before
    world.use()
    await until(lambda: world.issuer.asked.count("t") == before + 1)

    assert (before, at_rest) == (2, 0)


@pytest.mark.requirement("revocation:issuers-are-asked")
async def test_what_the_issuer_took_back_is_refused_looked_for_and_recorded_once(
    make: Make,
) -> None:
    world = make()
    world.issuer.answer = False

    world.use()
    await until(lambda: world.ledger.entries)
    refused = [world.refused() for _ in range(3)]
    await world.go_on(world.issuer)

    assert {str(error) for error in refused} == {"its issuer has taken the token back"}
    assert not any(isinstance(error, StateUnknown) for error in refused)
    assert (world.looks, world.issuer.asked.count("t"), world.ledger.kinds) == (1, 1, ["revoked"])
    assert world.ledger.last.body == {
        "name": "token:iss|t",
        "by": "issuer:https://login.example.com",
        "reason": "it is not active any more",
    }


async def test_what_was_taken_back_is_kept_in_mind_until_it_has_expired(make: Make) -> None:
    world = make()
    world.issuer.answer = False
    world.use(lives=0)
    await until(lambda: world.ledger.entries)
    world.clock += 2 * LEEWAY - 1
    still = world.refused()

    world.clock += 2
    await until(lambda: len(world.watching) == 0, bound=5)

    assert "taken the token back" in str(still)


async def test_what_cannot_be_recorded_is_over_all_the_same(make: Make) -> None:
    world = make()
    world.issuer.answer = False
    world.ledger.broken.add("revoked")

    world.use()
    await until(lambda: world.looks)

    assert "taken the token back" in str(world.refused())
    world.issuer.answer = True
    world.use("other")
    await world.until_asked(2)


@pytest.mark.requirement("revocation:silent-issuers-are-not-believed")
@pytest.mark.parametrize("error", [UpstreamFailed("away"), UpstreamTimedOut("late")])
async def test_a_token_is_good_for_so_long_without_an_answer_and_again_with_one(
    make: Make, error: Exception
) -> None:
    world = make()
    world.issuer.answer = error
    world.use()
    await world.until_asked(1)
    world.use()
    await world.until_asked(2)

    world.clock += BOUND
    world.use()
    world.clock += 0.1
    refused = world.refused()
    named = world.watching.trouble()
    world.issuer.answer = True
    await until(lambda: world.watching.trouble() == {})
    await until(lambda: not isinstance(_tried(world), TokenRefused))

    assert isinstance(refused, StateUnknown)
    assert list(named) == ["issuer https://login.example.com"]
    assert (world.looks, world.ledger.entries) == (0, [])


def _tried(world: World) -> object:
    try:
        world.use()
    except TokenRefused as error:
        return error
    return None


@pytest.mark.requirement("revocation:silent-issuers-are-not-believed")
async def test_a_new_token_gets_no_time_of_its_own_from_an_issuer_that_is_silent(
    make: Make,
) -> None:
    world = make()
    world.issuer.answer = UpstreamFailed("away")
    world.use()
    await until(world.watching.trouble)

    world.clock += BOUND + 1

    assert isinstance(world.refused("new"), StateUnknown)


@pytest.mark.requirement("revocation:silent-issuers-are-not-believed")
async def test_no_rest_makes_a_token_new_that_nobody_vouched_for(make: Make) -> None:
    """Of others the issuer speaks, and never of this one."""
    world = make()
    world.issuer.answers["bad"] = UpstreamFailed("no word of it")
    world.use("bad")
    await world.until_asked(1)
    world.use("good")
    await until(lambda: len(world.watching) == 1)
    asked = world.issuer.asked.count("bad")
    await until(lambda: world.issuer.asked.count("bad") > asked)

    world.clock += BOUND + 1

    assert isinstance(world.refused("bad"), StateUnknown)


@pytest.mark.requirement("revocation:silent-issuers-are-not-believed")
async def test_an_issuer_is_not_called_silent_when_nothing_is_left_to_ask_it(make: Make) -> None:
    world = make()
    world.issuer.answer = UpstreamFailed("away")
    world.use(lives=0)
    await until(world.watching.trouble)

    world.clock += 2 * LEEWAY + 1
    await until(lambda: len(world.watching) == 0)

    assert world.watching.trouble() == {}
    world.use("new")


@pytest.mark.requirement("revocation:asking-is-bounded")
async def test_questions_that_are_not_answered_are_put_less_and_less_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(introspections, "EVERY", 15.0)
    monkeypatch.setattr(introspections, "PAUSE", 2.0)
    world, pauses = World(), asyncio.Queue[float]()
    monkeypatch.setattr(world.watching, "_later", lambda after, *_: pauses.put_nowait(after))
    world.issuer.answer = UpstreamFailed("away")
    following = asyncio.ensure_future(world.watching.follow())
    world.use()

    taken = []
    for _ in range(5):
        taken.append(await asyncio.wait_for(pauses.get(), 5))
        world.watching._due(b"t", world.watching._watched[b"t"])
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)

    assert taken == [2.0, 4.0, 8.0, 15.0, 15.0]


@pytest.mark.requirement("revocation:asking-is-bounded")
async def test_questions_at_once_and_tokens_in_mind_are_bounded(make: Make) -> None:
    world = make(most=3 * AT_ONCE)
    world.issuer.go.clear()

    for number in range(3 * AT_ONCE):
        world.use(f"t-{number}")
    await until(lambda: world.issuer.waiting == AT_ONCE)
    one_more = world.refused("one more")
    world.use("t-0")
    world.issuer.go.set()
    await until(lambda: len(set(world.issuer.asked)) == 3 * AT_ONCE)
    await until(lambda: len(world.watching) == 0)
    world.use("one more")

    assert isinstance(one_more, StateUnknown)
    assert world.issuer.most == AT_ONCE


@pytest.mark.requirement("revocation:silent-issuers-are-not-believed")
async def test_a_question_that_nobody_answers_keeps_nothing_good(make: Make) -> None:
    world = make()
    world.issuer.go.clear()
    world.use()
    await world.until_asked(1)

    world.clock += BOUND + 0.1

    assert isinstance(world.refused(), StateUnknown)


async def test_a_question_that_fails_by_a_fault_is_put_again_by_the_job_begun_anew() -> None:
    world = World()
    world.issuer.answer = RuntimeError("a fault")
    world.use()
    with pytest.raises(ExceptionGroup):
        await world.watching.follow()
    world.use()
    world.issuer.answer = False

    following = asyncio.ensure_future(world.watching.follow())
    await until(lambda: world.looks)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)

    assert "taken the token back" in str(world.refused())


async def test_another_issuer_is_asked_for_everything_anew_and_an_old_answer_is_lost(
    make: Make,
) -> None:
    world = make()
    world.issuer.go.clear()
    world.issuer.answer = False
    world.use()
    await world.until_asked(1)
    other = Issuer(issuer="https://other.example.com")
    other.go.set()

    seen = world.watching.ask(other)
    world.issuer.go.set()
    world.use()
    await until(lambda: other.asked == ["t"])
    await world.go_on(other)
    world.use()

    assert seen is not None
    assert (world.looks, world.ledger.entries) == (0, [])
    assert world.watching.ask(None) is None
    assert world.watching.trouble() == {}


async def test_the_text_of_a_token_is_in_no_repr() -> None:
    world = World()

    world.use("a-marked-token")

    shown = [repr(watched) for watched in world.watching._watched.values()]
    assert [text.count("a-marked-token") for text in shown] == [1], "in its name, which is no text"
