"""Answers are read as a parser of hostile bytes reads: whole, once, or not at all."""

from collections import deque
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.wire.answer import HEAD_LIMIT, HEADERS_LIMIT, Answer
from mcp_gateway.wire.failures import HttpFailed, TooLarge
from tests.support.tcp import plain

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"

SOUND = {
    "with a length": (plain(b"hello"), b"hello"),
    "empty": (plain(b""), b""),
    "chunked": (CHUNKED + b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", b"hello"),
    "chunked, with an extension": (CHUNKED + b"5;a=b\r\nhello\r\n0\r\n\r\n", b"hello"),
    "chunked, with a trailer": (CHUNKED + b"5\r\nhello\r\n0\r\nx: y\r\n\r\n", b"hello"),
    "after an interim one": (b"HTTP/1.1 103 Hints\r\nlink: x\r\n\r\n" + plain(b"hello"), b"hello"),
    "after two interim ones": (b"HTTP/1.1 100 Go on\r\n\r\n" * 2 + plain(b"hello"), b"hello"),
    "of version 1.0, kept": (
        b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 5\r\n\r\nhello",
        b"hello",
    ),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    "304": (b"HTTP/1.1 304 Not Modified\r\netag: x\r\n\r\n", b""),
    "without a reason": (b"HTTP/1.1 200\r\ncontent-length: 5\r\n\r\nhello", b"hello"),
}

UNSOUND = {
    "two lengths that agree": OK + b"content-length: 2\r\ncontent-length: 2\r\n\r\nok",
    "two lengths": OK + b"content-length: 2\r\ncontent-length: 3\r\n\r\nokk",
    "a list of lengths": OK + b"content-length: 2, 2\r\n\r\nok",
    "a signed length": OK + b"content-length: +2\r\n\r\nok",
    "a negative length": OK + b"content-length: -2\r\n\r\nok",
    "a hexadecimal length": OK + b"content-length: 0x2\r\n\r\nok",
    "an empty length": OK + b"content-length:\r\n\r\nok",
    "a length that overflows": OK + b"content-length: 18446744073709551618\r\n\r\nok",
    "a length behind a vertical tab": OK + b"content-length:\x0b2\r\n\r\nok",
    "a length with an underscore": OK + b"content-length: 1_0\r\n\r\n0123456789",
    "a length and chunks": OK
    + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "chunks and a length": OK
    + b"transfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "an unknown coding": OK + b"transfer-encoding: xchunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "a coding on top": OK + b"transfer-encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "a coding below": OK + b"transfer-encoding: chunked, identity\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "identity": OK + b"transfer-encoding: identity\r\n\r\nok",
    "chunked twice": OK
    + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "chunks in version 1.0": b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "a space before the colon": OK + b"content-length : 2\r\n\r\nok",
    "a folded header": OK + b"x: y\r\n z\r\ncontent-length: 2\r\n\r\nok",
    "a header that starts with a space": OK + b" x: y\r\ncontent-length: 2\r\n\r\nok",
    "a NUL in a value": OK + b"x: \x00\r\ncontent-length: 2\r\n\r\nok",
    "a bare CR in a value": OK + b"x: y\rz: a\r\ncontent-length: 2\r\n\r\nok",
    "bare line feeds": b"HTTP/1.1 200 OK\ncontent-length: 2\n\nok",
    "a name that is no token": OK + b"x y: z\r\ncontent-length: 2\r\n\r\nok",
    "no colon": OK + b"x\r\ncontent-length: 2\r\n\r\nok",
    "no name": OK + b": x\r\ncontent-length: 2\r\n\r\nok",
    "a chunk that ends in LF": CHUNKED + b"2\nok\r\n0\r\n\r\n",
    "a chunk of 0x2": CHUNKED + b"0x2\r\nok\r\n0\r\n\r\n",
    "a chunk with a space": CHUNKED + b"2 \r\nok\r\n0\r\n\r\n",
    "a negative chunk": CHUNKED + b"-2\r\nok\r\n0\r\n\r\n",
    "a chunk that overflows": CHUNKED + b"fffffffffffffffff2\r\nok\r\n0\r\n\r\n",
    "a chunk longer than said": CHUNKED + b"2\r\nokay\r\n0\r\n\r\n",
    "a version to come": b"HTTP/2.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
    "a version long gone": b"HTTP/0.9 200 OK\r\ncontent-length: 2\r\n\r\nok",
    "an upgrade": b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    "a status of 99": b"HTTP/1.1 099 OK\r\ncontent-length: 2\r\n\r\nok",
    "a status of 999": b"HTTP/1.1 999 OK\r\ncontent-length: 2\r\n\r\nok",
    "an encoding": OK + b"content-encoding: gzip\r\ncontent-length: 2\r\n\r\nok",
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
}


def read(raw: bytes, answer: Answer, cuts: list[int] | None = None) -> Answer:
    edges = [0, *sorted(min(cut, len(raw)) for cut in cuts or ()), len(raw)]
    for start, end in pairwise(edges):
        if start < end:
            answer.feed(raw[start:end])
    return answer


@pytest.mark.parametrize(("raw", "body"), SOUND.values(), ids=list(SOUND))
def test_a_sound_answer_is_whole_and_leaves_its_connection_usable(raw: bytes, body: bytes) -> None:
    answer = read(raw, Answer(100))

    assert (answer.complete, answer.reusable, answer.trailing) == (True, True, False)
    assert answer.take() == body


@pytest.mark.requirement("http:no-smuggling")
@pytest.mark.parametrize("raw", UNSOUND.values(), ids=list(UNSOUND))
def test_an_answer_that_can_be_read_in_two_ways_is_refused(raw: bytes) -> None:
    answer = Answer(100)

    with pytest.raises(HttpFailed, match="not sound HTTP") as failure:
        read(raw, answer)

    assert failure.value.sent
    assert not answer.complete


@given(st.sampled_from(sorted(SOUND)), st.lists(st.integers(0, 120)))
def test_any_cut_of_a_sound_answer_reads_the_same(name: str, cuts: list[int]) -> None:
    raw, body = SOUND[name]
    whole, answer = read(raw, Answer(100)), read(raw, Answer(100), cuts)

    assert answer.take() == body
    assert (answer.status, answer.headers) == (whole.status, whole.headers)
    assert answer.complete
    assert answer.reusable


@given(st.sampled_from(sorted(UNSOUND)), st.lists(st.integers(0, 120)))
def test_no_cut_makes_an_unsound_answer_pass(name: str, cuts: list[int]) -> None:
    with pytest.raises(HttpFailed):
        read(UNSOUND[name], Answer(100), cuts)


@given(st.binary(max_size=300), st.sampled_from([b"", OK, CHUNKED]))
def test_whatever_comes_is_read_or_refused_and_never_exceeds_the_bound(
    tail: bytes, head: bytes
) -> None:
    answer = Answer(50)
    try:
        answer.feed(head + tail)
    except HttpFailed:
        return
    assert answer.waiting <= 50


@pytest.mark.parametrize(
    "behind",
    [plain(b"forged", b"x-forged: yes"), b"garbage", b"HTTP/1.1 ", b"\x00", b"2\r\nok\r\n"],
)
@pytest.mark.parametrize("raw", [plain(b"hello"), CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"])
def test_what_follows_an_answer_never_changes_it_and_costs_the_connection(
    raw: bytes, behind: bytes
) -> None:
    answer = read(raw + behind, Answer(100))

    assert (answer.status, answer.take()) == (200, b"hello")
    assert "x-forged" not in answer.headers
    assert (answer.reusable, answer.trailing) == (False, True)


def test_a_trailer_never_passes_for_a_header() -> None:
    answer = read(
        OK
        + b"content-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n"
        + b"2\r\nok\r\n0\r\ncontent-type: text/html\r\nset-cookie: a\r\n\r\n",
        Answer(100),
    )

    assert answer.headers == {"content-type": "text/plain", "transfer-encoding": "chunked"}


def test_headers_of_an_interim_answer_are_not_those_of_the_answer() -> None:
    answer = read(b"HTTP/1.1 103 Hints\r\nx-early: yes\r\n\r\n" + plain(b""), Answer(100))

    assert answer.headers == {"content-length": "0"}


def test_names_are_lower_case_and_values_of_one_name_are_joined() -> None:
    answer = read(plain(b"", b"X-One: a ", b"x-oNe:\tb", b"Link: c"), Answer(100))

    assert answer.headers["x-one"] == "a, b"
    assert answer.headers["link"] == "c"


@pytest.mark.parametrize("headers", [b"connection: close", b"connection: keep-alive, close"])
def test_a_server_that_says_close_is_not_asked_again(headers: bytes) -> None:
    answer = read(plain(b"hello", headers), Answer(100))

    assert answer.complete
    assert not answer.reusable


def test_version_1_0_is_not_asked_again_unless_it_says_so() -> None:
    answer = read(b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", Answer(100))

    assert answer.complete
    assert not answer.reusable


def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    answer = read(OK + b"\r\nhello", Answer(100))
    assert not answer.complete

    answer.end()

    assert answer.complete
    assert not answer.reusable
    assert answer.take() == b"hello"


@pytest.mark.parametrize("raw", [b"", OK, plain(b"hello")[:-1], CHUNKED + b"5\r\nhello\r\n"])
def test_a_connection_that_ends_early_leaves_no_answer(raw: bytes) -> None:
    answer = read(raw, Answer(100))

    with pytest.raises(HttpFailed, match="before the answer was whole"):
        answer.end()


def test_the_answer_to_a_head_request_has_a_length_and_no_body() -> None:
    answer = read(OK + b"content-length: 5000\r\n\r\n", Answer(100, bodiless=True))

    assert (answer.complete, answer.reusable, answer.trailing) == (True, False, False)


def test_a_body_where_there_is_none_is_seen() -> None:
    for raw in (plain(b"hello"), OK + b"\r\nhello", plain(b"") + b"\x16\x03\x01"):
        assert read(raw, Answer(100, bodiless=True)).trailing


def test_a_204_with_a_body_costs_the_connection() -> None:
    answer = read(plain(b"hello", status=b"204 No Content"), Answer(100))

    assert answer.take() == b""
    assert not answer.reusable


def test_a_204_that_says_it_has_a_body_costs_the_connection() -> None:
    answer = read(b"HTTP/1.1 204 No\r\ncontent-length: 5\r\n\r\n", Answer(100))

    assert answer.complete
    assert not answer.reusable


@pytest.mark.requirement("http:answers-are-bounded")
@pytest.mark.parametrize(
    "raw",
    [
        OK + b"content-length: 101\r\n\r\n",
        CHUNKED + b"65\r\n" + b"x" * 101 + b"\r\n0\r\n\r\n",
        CHUNKED + b"1\r\nx\r\n" * 101,
        OK + b"\r\n" + b"x" * 101,
    ],
    ids=["said", "one chunk", "many chunks", "until the end"],
)
def test_an_answer_over_the_bound_is_refused(raw: bytes) -> None:
    with pytest.raises(TooLarge, match="more than 100 bytes"):
        read(raw, Answer(100))


def test_an_answer_of_the_bound_is_taken() -> None:
    assert read(plain(b"x" * 100), Answer(100)).take() == b"x" * 100


@pytest.mark.requirement("http:answers-are-bounded")
@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (OK + b"x: ", b"y" * 1000),
        (OK, b"x: y\r\n" * 100),
        (b"HTTP/1.1 200 ", b"O" * 1000),
        (b"", b"HTTP/1.1 100 Go on\r\n\r\n" * 50),
        (CHUNKED + b"5;", b"x" * 1000),
        (CHUNKED + b"0\r\nx: ", b"y" * 1000),
        (CHUNKED + b"0\r\n", b"x: y\r\n" * 100),
        (b"", b"\r\n" * 500),
    ],
    ids=[
        "one header",
        "many headers",
        "a reason",
        "interim answers",
        "an extension",
        "one trailer",
        "many trailers",
        "nothing at all",
    ],
)
def test_what_is_not_body_is_bounded_too(start: bytes, piece: bytes) -> None:
    answer = Answer(100)
    answer.feed(start or piece)
    pieces = [piece] * (2 * HEAD_LIMIT // len(piece))
    with pytest.raises(TooLarge):
        deque(map(answer.feed, pieces))


def test_many_small_headers_are_too_many() -> None:
    lines = b"".join(b"x%d: y\r\n" % number for number in range(HEADERS_LIMIT + 1))
    with pytest.raises(TooLarge):
        Answer(100).feed(OK + lines + b"\r\n")


@pytest.mark.parametrize(
    "value", [b"text/event-stream", b"Text/Event-Stream; charset=utf-8", b"text/event-stream ;x"]
)
def test_an_event_stream_is_streamed_without_a_bound(value: bytes) -> None:
    answer = read(OK + b"content-type: " + value + b"\r\n\r\n" + b"x" * 500, Answer(100))

    assert answer.streamed
    assert (answer.waiting, answer.take(), answer.waiting) == (500, b"x" * 500, 0)


def test_what_only_looks_like_an_event_stream_is_whole() -> None:
    answer = read(plain(b"hello", b"content-type: text/event-streams"), Answer(100))

    assert not answer.streamed


def test_many_small_chunks_take_no_more_memory_than_their_bytes() -> None:
    answer = Answer(10_000)
    answer.feed(CHUNKED)
    for _ in range(10_000):
        answer.feed(b"1\r\nx\r\n")

    assert isinstance(answer._body, bytearray)
    assert answer.take() == b"x" * 10_000
