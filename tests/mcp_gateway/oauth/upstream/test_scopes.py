"""Which scopes are asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.oauth.upstream.scopes import asked, text, words

NONE = frozenset[str]()
A, B, OFFLINE = frozenset("a"), frozenset("b"), frozenset({"offline_access"})


@pytest.mark.requirement("upstream:scopes-are-the-challenges")
@pytest.mark.parametrize(
    ("wanted", "challenged", "supported", "advertised", "found"),
    [
        (NONE, A, B, NONE, A),
        (A, B, NONE, NONE, A | B),
        (A, NONE, B, NONE, A),
        (NONE, NONE, A | B, NONE, A | B),
        (NONE, NONE, NONE, A, NONE),
        (A, NONE, NONE, OFFLINE | B, A | OFFLINE),
        (NONE, NONE, NONE, OFFLINE, OFFLINE),
    ],
)
def test_what_is_needed_is_asked_for_and_no_more(
    wanted: frozenset[str],
    challenged: frozenset[str],
    supported: frozenset[str],
    advertised: frozenset[str],
    found: frozenset[str],
) -> None:
    assert asked(wanted, challenged, supported, advertised) == found


@given(st.frozensets(st.text(alphabet="ab:/.*!~", min_size=1)))
def test_scopes_as_a_text_are_the_same_scopes(scopes: frozenset[str]) -> None:
    assert words(text(scopes)) == scopes


@pytest.mark.parametrize("given", ["a\tb", 'a"b', "a\\b", "a\nb", "é"])
def test_a_scope_with_characters_that_no_scope_has_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="characters"):
        words(given)
