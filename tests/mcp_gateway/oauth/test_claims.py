"""Whatever an issuer says, each claim is read as one thing or refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.oauth import claims
from mcp_gateway.oauth.claims import TokenRefused

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(ANYTHING, st.sampled_from(["a", "a.b", "a.b.c", "", "."]))
def test_whatever_a_claim_holds_it_is_read_or_refused(value: Any, path: str) -> None:
    said = {"a": value}
    for read in (claims.text, claims.words, claims.seconds):
        try:
            found = read(said, path)
        except TokenRefused:
            continue
        assert isinstance(found, (str, frozenset, int))
        assert found is not True


@pytest.mark.parametrize("value", [True, False, 1.0, "1", None, [1]])
def test_seconds_are_whole_numbers(value: Any) -> None:
    with pytest.raises(TokenRefused, match="in whole seconds"):
        claims.seconds({"iat": value}, "iat")


def test_without_a_map_groups_are_roles() -> None:
    assert claims.mapped(frozenset({"user"}), {}) == {"user"}


def test_what_is_not_there_is_not_what_holds_null() -> None:
    assert claims.text({}, "tid") == ""
    with pytest.raises(TokenRefused):
        claims.text({"tid": None}, "tid")
