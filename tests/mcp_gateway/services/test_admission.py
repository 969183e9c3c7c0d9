import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.core.errors import UpstreamBusy
from mcp_gateway.services import admission
from mcp_gateway.services.admission import Admission


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def bounded(most: int = 1, queue: int = 1, breaker: int = 3) -> tuple[Admission, Clock]:
    clock = Clock()
    made = Admission("desk", clock)
    made.limit(most, queue, breaker)
    return made, clock


@asynccontextmanager
async def waiting(place: Admission, count: int = 1) -> AsyncIterator[list[asyncio.Task[bool]]]:
    """So many who wait for their turn, in order."""
    tasks = [asyncio.ensure_future(place.enter()) for _ in range(count)]
    for _ in range(3):
        await asyncio.sleep(0)
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.requirement("upstreams:bulkhead-and-queue")
async def test_who_waits_longest_is_next() -> None:
    place, _ = bounded(queue=2)
    await place.enter()
    async with waiting(place, 2) as (first, second):
        place.leave()
        await first

        assert (second.done(), place.inside) == (False, 1)
        place.leave()
        assert await second is False
    place.leave()
    assert place.inside == 0


@pytest.mark.requirement("upstreams:bulkhead-and-queue")
async def test_a_full_queue_refuses_at_once_and_says_when_to_come_back() -> None:
    place, _ = bounded()
    await place.enter()
    async with waiting(place):
        with pytest.raises(UpstreamBusy, match="desk has 1 requests, and 1 wait") as refused:
            await place.enter()

    assert (refused.value.retry_after, refused.value.sent) == (1, False)


@pytest.mark.requirement("upstreams:bulkhead-and-queue")
async def test_nobody_waits_longer_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "LONGEST_WAIT", 0.01)
    place, _ = bounded()
    await place.enter()

    with pytest.raises(UpstreamBusy, match="not your turn within"):
        await place.enter()

    place.leave()
    assert place.inside == 0


async def test_more_room_is_taken_by_who_waits_and_less_cuts_nobody() -> None:
    place, _ = bounded(queue=2)
    await place.enter()
    async with waiting(place, 2) as tasks:
        place.limit(3, 2, 3)
        await asyncio.gather(*tasks)
        assert place.inside == 3
        place.limit(1, 0, 3)
        place.leave()
        place.leave()
        assert place.inside == 1
        with pytest.raises(UpstreamBusy):
            await place.enter()


@pytest.mark.requirement("upstreams:breaker")
async def test_failures_in_a_row_open_the_breaker_and_one_trial_at_a_time_closes_it() -> None:
    place, clock = bounded(most=9)
    for _ in range(3):
        await place.enter()
        place.failed(trial=False)
        place.leave()
    with pytest.raises(UpstreamBusy, match="failed 3 times in a row") as refused:
        await place.enter()
    clock.now += 1
    trial = await place.enter()
    with pytest.raises(UpstreamBusy):
        await place.enter()
    place.answered()
    place.leave(trial=trial)

    assert (refused.value.retry_after, trial) == (1, True)
    assert await place.enter() is False


@pytest.mark.requirement("upstreams:breaker")
async def test_a_trial_that_fails_doubles_the_pause_and_one_that_is_left_does_not() -> None:
    place, clock = bounded(most=9, breaker=1)
    place.failed(trial=False)
    pauses = []
    for _ in range(7):
        with pytest.raises(UpstreamBusy) as refused:
            await place.enter()
        pauses.append(refused.value.retry_after)
        clock.now += pauses[-1]
        place.leave(trial=await place.enter())  # its caller went away: nothing was learnt
        trial = await place.enter()
        place.failed(trial=trial)
        place.leave(trial=trial)

    assert pauses == [1, 2, 4, 8, 16, 30, 30]


async def test_failures_of_calls_from_before_it_opened_lengthen_nothing() -> None:
    place, clock = bounded(most=9)
    for _ in range(8):
        place.failed(trial=False)
    clock.now += 1

    assert await place.enter() is True


@pytest.mark.requirement("upstreams:breaker")
async def test_an_upstream_that_lists_again_is_tried_at_once() -> None:
    place, _ = bounded(breaker=1)
    place.failed(trial=False)
    place.hopeful()

    assert await place.enter() is True


async def test_a_breaker_of_nothing_never_opens() -> None:
    place, _ = bounded(breaker=0)
    for _ in range(100):
        place.failed(trial=False)

    assert await place.enter() is False


async def test_who_waits_while_the_breaker_opens_is_not_sent() -> None:
    place, _ = bounded(breaker=1)
    await place.enter()
    async with waiting(place) as (task,):
        place.failed(trial=False)
        place.leave()
        with pytest.raises(UpstreamBusy, match="in a row"):
            await task

    assert place.inside == 0


Entering = asyncio.Task[bool]


def entered(tasks: list[Entering]) -> list[Entering]:
    return [t for t in tasks if t.done() and not t.cancelled() and not t.exception()]


def stepped(place: Admission, tasks: list[Entering], step: int) -> None:
    """Leaves, takes back, or enters."""
    if step == 0 and (there := entered(tasks)):
        tasks.remove(there[0])
        place.leave()
    elif step == 1 and tasks and not tasks[-1].done():
        tasks[-1].cancel()
    else:
        tasks.append(asyncio.ensure_future(place.enter()))


@pytest.mark.requirement("upstreams:bulkhead-and-queue")
@given(st.integers(1, 3), st.integers(0, 3), st.lists(st.integers(0, 3), max_size=30))
def test_no_place_is_lost_or_given_twice_whatever_happens(
    most: int, queue: int, steps: list[int]
) -> None:
    async def run() -> None:
        place, _ = bounded(most, queue)
        tasks: list[Entering] = []
        for step in steps:
            stepped(place, tasks, step)
            if step != 3:
                await asyncio.sleep(0)
            assert place.inside <= most
        for _ in range(len(steps) + 5):
            await asyncio.sleep(0)
            for task in entered(tasks):
                tasks.remove(task)
                place.leave()
        assert (place.inside, [t for t in tasks if not t.done()]) == (0, [])

    asyncio.run(run())
