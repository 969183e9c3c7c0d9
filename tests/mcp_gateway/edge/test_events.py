"""What is kept of a session's streams, for how long, and for whom."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.edge import events
from mcp_gateway.edge.events import Events, Room


@pytest.mark.requirement("edge:streams-are-resumed")
def test_what_came_after_an_event_is_there_and_of_its_stream_alone() -> None:
    store = Events(Room(), 256)
    one, two = store.begin(), store.begin()
    first = store.add(one, b"1")
    store.add(two, b"other")
    store.add(one, b"2")
    store.add(one, b"3", last=True)

    found = store.find(first.id)

    assert found == (one, 1)
    assert [event.message for event in store.after(*found)] == [b"2", b"3"]
    assert (one.ended, two.ended) == (True, False)


@pytest.mark.requirement("edge:streams-are-resumed")
@pytest.mark.parametrize("id_", ["", "x", "0-1", "{id}", "{id}-", "{id}-2", "{id}--1", "{id}-1 "])
def test_an_id_that_is_none_finds_nothing(id_: str) -> None:
    store = Events(Room(), 256)
    trail = store.begin()
    event = store.add(trail, b"1")

    assert store.find(id_.replace("{id}", trail.id)) is None
    assert Events(Room(), 256).find(event.id) is None


@pytest.mark.requirement("edge:streams-are-resumed")
def test_progress_makes_room_before_an_answer_does() -> None:
    store = Events(Room(), 3)
    done, running = store.begin(), store.begin()
    store.add(done, b"answer", last=True)
    for number in range(10):
        store.add(running, b"%d" % number)

    assert [event.message for event in store.after(done, 0)] == [b"answer"]
    assert [event.message for event in store.after(running, 0)] == [b"8", b"9"]


@pytest.mark.requirement("edge:streams-are-resumed")
def test_the_newest_answer_is_kept_though_it_alone_is_more_than_a_session_may_have() -> None:
    store, large = Events(Room(), 256), b"x" * (events.MOST_BYTES + 1)
    one, two = store.begin(), store.begin()
    store.add(one, b"small", last=True)

    store.add(two, large, last=True)

    assert store.after(one, 0) == []
    assert [event.message for event in store.after(two, 0)] == [large]


@pytest.mark.requirement("edge:streams-are-resumed")
def test_all_stores_together_have_a_bound_and_the_one_unused_longest_makes_room() -> None:
    room = Room(100)
    stores = [Events(room, 256) for _ in range(3)]
    trails = [store.begin() for store in stores]
    for store, trail in zip(stores, trails, strict=True):
        store.add(trail, b"x" * 40)
    stores[1].add(trails[1], b"y" * 40)

    kept = [len(s.after(t, 0)) for s, t in zip(stores, trails, strict=True)]

    assert (kept, room.size) == ([0, 2, 0], 80)


@pytest.mark.requirement("edge:sessions-are-bounded")
def test_streams_that_ended_are_forgotten_with_their_events() -> None:
    store = Events(Room(), 4)
    for _ in range(100):
        store.add(store.begin(), b"answer", last=True)

    assert len(store._trails) <= 5


@pytest.mark.requirement("edge:sessions-are-bounded")
def test_a_store_that_is_closed_keeps_nothing_and_lets_go_who_reads() -> None:
    room = Room()
    store = Events(room, 256)
    trail = store.begin()
    event = store.add(trail, b"1")

    store.close()

    assert (room.size, trail.ended, trail.news.is_set()) == (0, True, True)
    assert store.find(event.id) is None


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 60), st.booleans()), max_size=60))
def test_whatever_is_said_the_bounds_hold_and_nothing_is_counted_twice(
    said: list[tuple[int, int, bool]],
) -> None:
    room = Room(100)
    stores = [Events(room, 4) for _ in range(3)]
    trails = [store.begin() for store in stores]
    for which, size, last in said:
        stores[which].add(trails[which], b"x" * size, last=last)

    kept = [event for store in stores for event in store._kept]
    assert room.size == sum(len(event.message) for event in kept) <= 100
    assert all(len(store._kept) <= 4 for store in stores)
