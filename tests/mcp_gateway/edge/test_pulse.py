"""Who waits is called now and then, by one timer for all of them."""

import asyncio

import pytest

from mcp_gateway.edge.pulse import Pulse
from tests.support.waiting import until


class Counted:
    """Counts how often it was called."""

    def __init__(self) -> None:
        self.beats = 0

    def beat(self) -> None:
        self.beats += 1


@pytest.mark.requirement("streams:keep-alives")
async def test_everyone_is_called_twice_in_the_time_that_is_set() -> None:
    pulse, all_ = Pulse(0.1), [Counted() for _ in range(3)]
    loop = asyncio.get_running_loop()
    started = loop.time()
    for one in all_:
        pulse.add(one)

    await until(lambda: all_[0].beats >= 4)

    assert loop.time() - started >= 4 * 0.05 - 0.02
    assert {one.beats for one in all_} == {4}


async def test_who_was_removed_is_not_called_and_the_timer_ends_with_the_last() -> None:
    pulse, gone, stays = Pulse(0.02), Counted(), Counted()
    pulse.add(gone)
    pulse.add(stays)
    pulse.remove(gone)
    pulse.remove(gone)
    await until(lambda: stays.beats == 1)
    pulse.remove(stays)
    await until(lambda: not pulse._ticking)
    pulse.add(stays)
    await until(lambda: stays.beats == 2)

    assert gone.beats == 0
