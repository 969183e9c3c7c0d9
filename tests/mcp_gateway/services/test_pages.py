from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.core.errors import InvalidRequest
from mcp_gateway.services.pages import FIRST, Key, page, position

KEYS = st.lists(st.tuples(st.text("ab~é/", min_size=1, max_size=4), st.sampled_from("xy")))


def ordered(keys: Sequence[Key]) -> list[tuple[Key, Key]]:
    return [(key, key) for key in sorted(set(keys))]


def walked(keys: Sequence[Key], most: int, hidden: frozenset[Key] = frozenset()) -> list[list[Key]]:
    """Every page of a list, from its start to its end."""
    found: list[list[Key]] = []
    after = FIRST
    while True:
        shown, cursor = page(ordered(keys), after, most, lambda key: key not in hidden)
        found.append(list(shown))
        if not cursor:
            return found
        after = position({"cursor": cursor})


@pytest.mark.requirement("listing:pages")
@given(KEYS, KEYS, st.integers(1, 5))
def test_every_usable_entry_is_met_once_and_in_order(
    keys: list[Key], hidden: list[Key], most: int
) -> None:
    pages = walked(keys, most, frozenset(hidden))

    met = [key for shown in pages for key in shown]
    assert met == sorted(set(keys) - set(hidden))
    assert all(len(shown) == most for shown in pages[:-1])
    assert len(pages) == 1 or pages[-1]


@pytest.mark.requirement("listing:pages")
@given(KEYS, KEYS, KEYS, st.integers(1, 5))
def test_what_stays_is_met_once_over_a_change_between_two_pages(
    keys: list[Key], added: list[Key], removed: list[Key], most: int
) -> None:
    first, cursor = page(ordered(keys), FIRST, most, lambda _: True)
    new = (set(keys) | set(added)) - set(removed)
    after = position({"cursor": cursor}) if cursor else max(keys, default=FIRST)
    rest, _ = page(ordered(list(new)), after, len(new) + 1, lambda _: True)

    stayed = set(keys) & new
    met = [key for key in [*first, *rest] if key in stayed]
    assert sorted(met) == sorted(stayed)


@given(st.one_of(st.text(), st.binary().map(repr), st.integers(), st.none(), st.booleans()))
def test_whatever_stands_for_a_cursor_is_a_position_or_an_invalid_request(cursor: object) -> None:
    try:
        found = position({"cursor": cursor})
    except InvalidRequest:
        return
    assert found == FIRST or page([((*found,), 1), (("~~~~~", "z"), 2)], found, 1, bool)[0]


def test_without_a_cursor_a_list_begins_at_its_start() -> None:
    assert position({}) == position({"cursor": None}) == FIRST
