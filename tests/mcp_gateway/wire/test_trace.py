"""traceparent is passed on when it is valid, and begun when it is not."""

import pytest

from mcp_gateway.wire.trace import accept, begun, child, span_of

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
VALID = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize("flags", ["00", "01", "02", "03"])
def test_a_valid_one_is_accepted_as_it_is(flags: str) -> None:
    assert accept(f"00-{TRACE}-{SPAN}-{flags}") == f"00-{TRACE}-{SPAN}-{flags}"


def test_of_a_later_version_the_known_part_is_taken() -> None:
    assert accept(f"cc-{TRACE}-{SPAN}-01-what-the-future-holds") == VALID
    assert accept(f"01-{TRACE}-{SPAN}-01") == VALID


def test_unknown_flags_are_not_passed_on() -> None:
    assert accept(f"00-{TRACE}-{SPAN}-ff") == f"00-{TRACE}-{SPAN}-03"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        VALID.upper(),
        VALID + " ",
        VALID + "\n",
        VALID + "-more",
        "ff" + VALID[2:],
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01\r\nx: y",
        f"01-{TRACE}-{SPAN}-01more",
        f"01-{TRACE}-{SPAN}-01-" + "x" * 5000,
        f"0٠-{TRACE}-{SPAN}-01",  # noqa: RUF001  # a digit of another script is the point
    ],
)
def test_what_is_not_valid_is_nothing(header: str) -> None:
    assert accept(header) == ""


def test_a_child_keeps_the_trace_and_has_a_span_of_its_own() -> None:
    first, second = child(VALID), child(VALID)

    assert accept(first) == first
    assert first[:36] == second[:36] == VALID[:36]
    assert len({first[36:52], second[36:52], SPAN}) == 3


def test_without_a_trace_a_new_one_begins() -> None:
    first, second = child(""), child("")

    assert accept(first) == first
    assert first[3:35] != second[3:35]


def test_the_span_of_a_call_is_the_same_wherever_it_is_asked_for() -> None:
    assert span_of("c-1") == span_of("c-1") != span_of("c-2")
    assert child(VALID, span_of("c-1")) == f"00-{TRACE}-{span_of('c-1')}-01"
    assert accept(child(VALID, span_of("c-1"))) != ""


def test_a_trace_that_begins_with_a_call_is_its_own() -> None:
    assert accept(begun("c-1")) == begun("c-1") != begun("c-2")
    assert begun("c-1")[36:52] == span_of("c-1")
