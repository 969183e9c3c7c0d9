"""Nothing in a request's head can start another line, or say what only the client may."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.wire.head import RESERVED, Heads

LINE = b"/mcp HTTP/1.1\r\nhost: a.b"


def head(*headers: tuple[str, str], method: str = "POST", length: int = 2) -> bytes:
    return Heads().head(method, LINE, headers, length)


def test_a_head_is_its_line_its_headers_and_a_length() -> None:
    assert head(("content-type", "application/json"), ("X-One", "a\tb")) == (
        b"POST /mcp HTTP/1.1\r\nhost: a.b\r\ncontent-type: application/json\r\n"
        b"X-One: a\tb\r\ncontent-length: 2\r\n\r\n"
    )


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_method_with_a_body_says_so_even_when_it_is_empty(method: str) -> None:
    assert head(method=method, length=0).endswith(b"\r\ncontent-length: 0\r\n\r\n")


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS"])
def test_others_say_it_only_when_they_have_one(method: str) -> None:
    assert b"content-length" not in head(method=method, length=0)
    assert b"content-length: 3" in head(method=method, length=3)


@pytest.mark.requirement("http:nothing-starts-another-line")
@pytest.mark.parametrize("value", ["a\r\nx: y", "a\nb", "a\rb", "\x00", "\x7f", "\x1b[0m", "€"])
def test_a_value_that_no_header_has_is_refused_and_not_repeated(value: str) -> None:
    with pytest.raises(ValueError, match="characters that no header has") as failure:
        head(("authorization", "secret" + value))

    assert "secret" not in str(failure.value)


@pytest.mark.requirement("http:nothing-starts-another-line")
@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\nb", "a\n", "é", "(a)", "a\x00"])
def test_a_name_that_no_header_has_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="characters that no name has"):
        head((name, "x"))


@pytest.mark.parametrize("method", ["", "GET /x HTTP/1.1\r\nx:", "CONNECT", "TRACE", "get", "G T"])
def test_a_method_that_is_none_is_refused(method: str) -> None:
    with pytest.raises(ValueError, match="no method"):
        head(method=method)


@pytest.mark.requirement("http:no-smuggling")
@pytest.mark.parametrize("name", sorted(RESERVED))
def test_what_frames_and_routes_a_request_is_not_the_callers_to_set(name: str) -> None:
    heads = Heads()
    for written in (name, name.title(), name.upper()):
        with pytest.raises(ValueError, match="not the caller's"):
            heads.head("POST", LINE, [(written, "x")], 0)


def test_latin_1_passes_as_it_always_has() -> None:
    assert b"\r\nx: caf\xe9\r\n" in head(("x", "café"))


@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=8)), max_size=4))
def test_a_head_has_as_many_lines_as_it_was_given(headers: list[tuple[str, str]]) -> None:
    try:
        made = head(*headers)
    except ValueError:
        return
    lines = made.split(b"\r\n")
    assert len(lines) == 2 + len(headers) + 3
    assert not any(b"\r" in line or b"\n" in line or b"\x00" in line for line in lines)


def test_headers_are_remembered_within_bounds() -> None:
    heads = Heads()
    for number in range(3000):
        assert b"x%d: y" % number in heads.head("GET", LINE, [(f"x{number}", "y")], 0)
    heads.head("GET", LINE, [("large", "v" * 1000)], 0)

    assert len(heads._known) <= 1024
    assert not any(name == "large" for name, _ in heads._known)


def test_a_header_that_was_good_does_not_vouch_for_another_value() -> None:
    heads = Heads()
    heads.head("GET", LINE, [("name", "good")], 0)

    with pytest.raises(ValueError, match="holds characters"):
        heads.head("GET", LINE, [("name", "good\r\nevil: 1")], 0)
