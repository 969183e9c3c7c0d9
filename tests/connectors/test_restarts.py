"""Pauses between restarts."""

from dataclasses import dataclass

import pytest

from connectors.restarts import FIRST, LONGEST, STEADY, Restarts
from mcp_gateway.core.errors import UpstreamFailed, UpstreamTimedOut

BROKEN = UpstreamFailed("it broke", detail="its last words")


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def paused(restarts: Restarts) -> float:
    """Seconds for which nothing is started."""
    try:
        restarts.check()
    except UpstreamFailed as failure:
        return failure.retry_after
    return 0.0


def test_the_first_start_is_at_once() -> None:
    assert paused(Restarts(Clock())) == 0


@pytest.mark.requirement("children:growing-pauses")
def test_pauses_double_up_to_a_minute_while_starts_come_to_nothing() -> None:
    clock = Clock()
    restarts, seen = Restarts(clock), []
    for _ in range(9):
        restarts.started()
        restarts.failed(BROKEN)
        seen.append(paused(restarts))
        clock.now += seen[-1]
        assert paused(restarts) == 0

    assert seen == [FIRST, 2, 4, 8, 16, 32, LONGEST, LONGEST, LONGEST]


@pytest.mark.requirement("children:growing-pauses")
def test_a_child_that_ran_for_a_while_is_started_again_at_once() -> None:
    clock = Clock()
    restarts = Restarts(clock)
    for _ in range(5):
        restarts.started()
        restarts.failed(BROKEN)
        clock.now += LONGEST
    restarts.started()
    clock.now += STEADY

    restarts.failed(BROKEN)

    assert paused(restarts) == 0
    restarts.started()
    restarts.failed(BROKEN)
    assert paused(restarts) == FIRST


def test_during_a_pause_the_last_failure_is_told_and_when_to_try_again() -> None:
    restarts = Restarts(Clock())
    restarts.failed(BROKEN)

    with pytest.raises(UpstreamFailed) as told:
        restarts.check()

    assert told.value.reason == "it broke; it will be started again"
    assert (told.value.detail, told.value.retry_after) == ("its last words", FIRST)


def test_a_start_that_came_too_late_has_no_words_of_its_own() -> None:
    restarts = Restarts(Clock())
    restarts.failed(UpstreamTimedOut("too late"))

    with pytest.raises(UpstreamFailed) as told:
        restarts.check()

    assert told.value.detail == ""
