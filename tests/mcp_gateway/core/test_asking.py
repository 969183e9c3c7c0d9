"""What an upstream asks, and what an answer continues: values that say nothing by default."""

from mcp_gateway.core.asking import AFRESH, ASKING, NOT_OFFERED, QUESTIONS, Asked, Resumed
from mcp_gateway.wire.modern import NAME_OF


def test_what_continues_nothing_names_nothing() -> None:
    assert Resumed() == AFRESH
    assert not any(getattr(AFRESH, name) for name in AFRESH.__slots__)


def test_an_upstream_that_was_never_asked_offered_nothing() -> None:
    assert (NOT_OFFERED.era, NOT_OFFERED.capabilities) == ("", None)


def test_a_question_is_none_of_the_requests_that_may_ask() -> None:
    assert ASKING.isdisjoint(QUESTIONS)
    assert set(NAME_OF) >= ASKING


def test_nobody_waits_for_what_a_stateless_upstream_asks() -> None:
    assert Asked({}).parked is None
