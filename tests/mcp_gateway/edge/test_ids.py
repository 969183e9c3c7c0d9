from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.edge.ids import AT_ONCE, RANDOM, Ids


def test_no_two_ids_are_alike() -> None:
    ids = Ids()
    made = {ids.new() for _ in range(3 * AT_ONCE)}
    assert len(made) == 3 * AT_ONCE


@given(st.lists(st.integers(0, 2**62), min_size=2, max_size=20))
def test_ids_sort_by_their_milliseconds(times: list[int]) -> None:
    clock: Iterator[int] = iter(sorted(times))
    ids = Ids(clock=lambda: next(clock))
    starts = [ids.new()[:11] for _ in times]
    assert starts == sorted(starts)


def test_every_random_byte_is_used_once() -> None:
    asked: list[int] = []

    def source(size: int) -> bytes:
        asked.append(size)
        return bytes([len(asked)]) * size

    ids = Ids(source=source)
    made = [ids.new()[11:] for _ in range(AT_ONCE + 1)]

    assert asked == [RANDOM * AT_ONCE] * 2
    assert made == ["01" * RANDOM] * AT_ONCE + ["02" * RANDOM]
