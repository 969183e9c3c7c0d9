"""What many want at once is done once."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from mcp_gateway.core.errors import ConsentRequired, Refusal, UpstreamFailed, UpstreamTimedOut
from mcp_gateway.oauth.flight import Flights


class Slow:
    """Takes off when it is let, and counts."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.begun = 0
        self.let = asyncio.Event()
        self.failure = failure

    async def __call__(self) -> int:
        self.begun += 1
        await self.let.wait()
        if self.failure is not None:
            raise self.failure
        return self.begun


@pytest.fixture
async def flights() -> AsyncIterator[Flights[int]]:
    made = Flights[int]()
    yield made
    await made.aclose()


async def _turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.requirement("broker:one-flight")
async def test_many_who_want_the_same_at_once_get_the_same_of_one_flight(
    flights: Flights[int],
) -> None:
    slow = Slow()
    waiting = [asyncio.ensure_future(flights.join("k", slow)) for _ in range(64)]
    await _turns()
    slow.let.set()

    assert await asyncio.gather(*waiting) == [1] * 64
    assert slow.begun == 1
    assert await flights.join("k", slow) == 2


async def test_who_wants_something_else_does_not_wait(flights: Flights[int]) -> None:
    slow, quick = Slow(), Slow()
    quick.let.set()
    waiting = asyncio.ensure_future(flights.join("slow", slow))

    assert await flights.join("quick", quick) == 1
    slow.let.set()
    await waiting


@pytest.mark.requirement("broker:one-flight")
async def test_who_began_it_and_is_cancelled_does_not_take_the_others_along(
    flights: Flights[int],
) -> None:
    slow = Slow()
    first = asyncio.ensure_future(flights.join("k", slow))
    await _turns()
    second = asyncio.ensure_future(flights.join("k", slow))
    await _turns()
    first.cancel()
    await _turns()
    slow.let.set()

    assert await second == 1
    assert first.cancelled()


@pytest.mark.requirement("broker:one-flight")
async def test_a_failure_is_every_waiters_and_for_a_second_whoever_comes() -> None:
    now = 100.0
    flights = Flights[int](clock=lambda: now)
    slow = Slow(UpstreamFailed("away"))
    slow.let.set()

    async def joined() -> str:
        with pytest.raises(UpstreamFailed) as failed:
            await flights.join("k", slow)
        return str(failed.value)

    assert set(await asyncio.gather(*(joined() for _ in range(64)))) == {"away"}
    await joined()
    assert slow.begun == 1
    now += 1.0
    await joined()
    assert slow.begun == 2


@pytest.mark.parametrize(
    "failure", [ConsentRequired("github", "https://gateway/connect/x"), KeyError("a fault")]
)
async def test_what_may_be_otherwise_at_once_is_not_remembered(
    flights: Flights[int], failure: Exception
) -> None:
    slow = Slow(failure)
    slow.let.set()

    for _ in range(2):
        with pytest.raises(type(failure)):
            await flights.join("k", slow)

    assert slow.begun == 2


async def test_what_takes_too_long_ends() -> None:
    flights = Flights[int](bound=0.01)

    with pytest.raises(UpstreamTimedOut):
        await flights.join("k", Slow())


async def test_who_waits_while_the_gateway_ends_is_told_so(flights: Flights[int]) -> None:
    waiting = asyncio.ensure_future(flights.join("k", Slow()))
    await _turns()

    await flights.aclose()

    with pytest.raises(Refusal, match="stopping"):
        await waiting
