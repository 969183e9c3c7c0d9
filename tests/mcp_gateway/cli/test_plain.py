from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.cli.plain import plain


@given(st.text())
def test_nothing_is_left_that_a_terminal_acts_on(text: str) -> None:
    said = plain(text)

    assert said.isprintable()
    assert len(said.splitlines()) <= 1


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_what_can_be_read_stays_as_it_is(text: str) -> None:
    assert plain(text) == text
