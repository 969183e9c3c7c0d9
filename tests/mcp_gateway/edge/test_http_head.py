import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.edge.http_head import REMEMBERED, Framing, Lines, head

PAIRS = list[tuple[bytes, bytes]]


def _head(status: int, *pairs: tuple[bytes, bytes], chunks: bool = True) -> tuple[bytes, Framing]:
    framing = Framing(keep=True)
    return head(Lines(), [(b"date", b"now")], status, pairs, framing, chunks=chunks), framing


@pytest.mark.parametrize(
    "pair",
    [
        (b"x", b"a\rb"),
        (b"x", b"a\nb"),
        (b"x", b"a\x00b"),
        (b"x", b"a\r\n"),
        (b"x", b"a\x7f"),
        (b"x\r\ny", b"a"),
        (b"x y", b"a"),
        (b"x:", b"a"),
        (b"x\n", b"a"),
        (b"", b"a"),
        (b"content-length", b"-1"),
        (b"content-length", b"1_0"),
        (b"content-length", b"5\r\nx: y"),
    ],
)
def test_what_no_head_can_hold_is_refused(pair: tuple[bytes, bytes]) -> None:
    with pytest.raises(ValueError, match="not a"):
        _head(200, pair)


@given(st.lists(st.tuples(st.binary(max_size=8), st.binary(max_size=12)), max_size=4))
def test_no_header_puts_a_line_of_its_own_into_a_head(pairs: PAIRS) -> None:
    try:
        made, framing = _head(200, (b"content-length", b"0"), *pairs)
    except ValueError:
        return
    own = {b"content-length", b"transfer-encoding", b"connection"}
    count = sum(name.lower() not in own for name, _ in pairs)
    assert made.endswith(b"\r\n\r\n")
    assert made.count(b"\r\n") == made.count(b"\n") == made.count(b"\r")
    assert made.count(b"\r\n") == 4 + count + framing.close


@pytest.mark.parametrize(
    ("status", "chunks", "length", "last"),
    [
        (200, True, None, b"transfer-encoding: chunked"),
        (200, False, None, b"connection: close"),
        (200, True, b"05", b"content-length: 5"),
        (200, False, b"5", b"content-length: 5"),
        (204, True, b"0", b"date: now"),
        (304, False, None, b"date: now"),
    ],
)
def test_the_head_says_how_its_body_ends(
    status: int, *, chunks: bool, length: bytes | None, last: bytes
) -> None:
    pairs = [(b"Content-Length", length)] if length else []
    made, framing = _head(status, *pairs, chunks=chunks)
    assert made.split(b"\r\n")[-3] == last
    assert framing.chunked == (b"chunked" in last)
    assert framing.close == (b"close" in last)


def test_an_application_frames_nothing_by_itself() -> None:
    made, _ = _head(200, (b"transfer-encoding", b"gzip"), (b"connection", b"upgrade"))
    assert made == b"HTTP/1.1 200 OK\r\ndate: now\r\ntransfer-encoding: chunked\r\n\r\n"


def test_lines_without_end_are_not_remembered_without_end() -> None:
    lines = Lines()
    for number in range(REMEMBERED * 3):
        assert lines.line((b"X", b"%d" % number)) == b"x: %d\r\n" % number
    assert len(lines._known) <= REMEMBERED


def test_the_date_is_the_one_of_now() -> None:
    lines = Lines()
    assert lines.default([(b"date", b"one")]) == b"date: one\r\n"
    assert lines.default([(b"date", b"two")]) == b"date: two\r\n"
