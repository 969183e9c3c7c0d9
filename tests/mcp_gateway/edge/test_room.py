"""Who goes when there are too many connections, and who never does."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.edge import room


@dataclass(eq=False)
class Guest:
    """A connection that has been idle since then, or is at work."""

    since: float | None
    gone: bool = False

    def idle_since(self) -> float | None:
        return None if self.gone else self.since

    def shutdown(self) -> None:
        self.gone = True


@given(st.lists(st.none() | st.floats(0, 100), max_size=60), st.integers(1, 40))
def test_the_longest_idle_go_and_nobody_at_work(times: list[float | None], most: int) -> None:
    newest = Guest(0.0)
    guests = [newest, *map(Guest, times)]

    there_is = room.made(guests, newest, most)

    gone = [guest for guest in guests if guest.gone]
    stayed = [guest for guest in guests if not guest.gone and guest is not newest]
    assert not newest.gone
    assert all(guest.since is not None for guest in gone)
    assert there_is == (len(guests) <= most or bool(gone))
    idle = [guest.since for guest in stayed if guest.since is not None]
    assert not gone or not idle or max(g.since or 0 for g in gone) <= min(idle)
    assert bool(gone) == (len(guests) > most and any(time is not None for time in times))


@pytest.mark.requirement("edge:connections-are-bounded")
def test_many_go_at_once_so_that_each_new_one_does_not_look_at_all() -> None:
    newest = Guest(9.0)
    guests = [newest, *(Guest(1.0) for _ in range(room.MOST))]

    assert room.made(guests, newest)

    assert sum(guest.gone for guest in guests) == room.AT_ONCE


def test_without_anybody_idle_there_is_no_room() -> None:
    newest = Guest(1.0)

    assert not room.made([newest, Guest(None), Guest(None)], newest, most=2)
