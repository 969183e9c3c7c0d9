"""Who guesses waits longer each time, many at once or one after the other."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.services.guesses import REST, Guesses

pytestmark = pytest.mark.requirement("login:guessing-takes-longer")


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def after(tries: int, clock: Clock, **bounds: int) -> Guesses:
    guesses = Guesses(**{"free": 3, "longest": 60, **bounds}, clock=clock)
    for _ in range(tries):
        guesses.begin("ada")
    return guesses


@pytest.mark.parametrize(
    ("tries", "wait"), [(0, 0), (2, 0), (3, 1), (4, 2), (5, 4), (8, 32), (9, 60), (500, 60)]
)
def test_the_first_attempts_are_free_and_then_each_waits_twice_as_long(
    tries: int, wait: int
) -> None:
    assert after(tries, Clock()).wait("ada") == wait


def test_nobody_waits_for_what_another_did_nor_when_the_wait_is_over() -> None:
    clock = Clock()
    guesses = after(3, clock)

    assert (guesses.wait("bob"), guesses.wait("ada")) == (0, 1)
    clock.now += 1
    assert guesses.wait("ada") == 0


def test_what_was_tried_counts_no_more_when_it_was_they_and_after_an_hour() -> None:
    clock = Clock()
    right, rested = after(9, clock), after(9, clock)
    right.forget("ada")
    clock.now += REST + 1

    for guesses in (right, rested):
        guesses.begin("ada")
        guesses.begin("ada")
        assert guesses.wait("ada") == 0


def test_who_cannot_be_told_apart_any_more_waits_together_until_others_are_forgotten() -> None:
    clock = Clock()
    guesses = after(1, clock, most=2)
    guesses.begin("bob")
    for stranger in ("carl", "dora", "emil"):
        guesses.begin(stranger)

    assert (guesses.wait("fred"), guesses.wait("ada")) == (1, 0)
    guesses.forget("carl")
    assert guesses.wait("fred") == 1
    clock.now += REST + 1
    assert guesses.wait("fred") == 0
    guesses.begin("fred")
    assert guesses.wait("fred") == 0


@given(st.lists(st.floats(0, 120), max_size=60))
def test_whatever_the_pace_no_more_is_heard_than_the_waits_allow(pauses: list[float]) -> None:
    """Within any time T after the free attempts there are at most log2(T) + T/longest more."""
    clock, heard = Clock(), 0
    guesses, longest = Guesses(free=3, longest=60, clock=clock), 60
    begun = clock.now
    for pause in pauses:
        clock.now += pause
        if guesses.wait("ada") == 0:
            guesses.begin("ada")
            heard += 1

    assert heard <= 3 + 7 + (clock.now - begun) / (longest - 1)
