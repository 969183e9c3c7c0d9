"""Event streams read the same however they are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.wire.sse import KEEP_ALIVE, Decoder, Event, encode, priming

TEXT = (
    b"\xef\xbb\xbf: a comment\n"
    b"data: one\n\n"
    b"event: progress\ndata: two\ndata:three\ndata\nid: 7\n\n"
    b"retry: 5\nunknown: x\nevent: lost\n\n"
    b"data:  spaced \n\n"
    b'id\ndata: {"a": "b:c"}\n\n'
    b"id: a\x00b\ndata:\n\n"
    b"data: never finished"
)
EVENTS = [
    Event(b"one"),
    Event(b"two\nthree\n", "progress", "7"),
    Event(b" spaced ", "message", "7"),
    Event(b'{"a": "b:c"}', "message", ""),
    Event(b"", "message", ""),
]


def cut(raw: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    return [raw[a:b] for a, b in pairwise(edges)]


def decoded(chunks: list[bytes], most: int = 1000) -> list[Event]:
    decoder = Decoder(most)
    return [event for chunk in chunks for event in decoder.feed(chunk)]


@pytest.mark.requirement("sse:any-cut-reads-the-same")
@given(st.lists(st.integers(0, len(TEXT) + 20)), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_any_cut_and_any_line_end_give_the_same_events(cuts: list[int], end: bytes) -> None:
    assert decoded(cut(TEXT.replace(b"\n", end), cuts)) == EVENTS


@given(st.binary(max_size=200), st.lists(st.integers(0, 200)))
def test_any_bytes_give_the_same_events_in_any_cut(raw: bytes, cuts: list[int]) -> None:
    raw = raw.replace(b"\x01", b"\ndata: ").replace(b"\x02", b"\n\n").replace(b"\x03", b"\r")
    assert decoded(cut(raw, cuts)) == decoded([raw])


@given(st.binary(max_size=200).filter(lambda data: b"\r" not in data))
def test_what_is_encoded_decodes_to_the_same(data: bytes) -> None:
    assert decoded([encode(data, "note")]) == [Event(data, "note")]


def test_an_event_is_there_with_its_last_byte_even_when_lines_end_in_cr() -> None:
    decoder = Decoder()

    assert decoder.feed(b"data: x\r\r") == [Event(b"x")]
    assert decoder.feed(b"\n") == []
    assert decoder.feed(b"data: y\r") == []
    assert decoder.feed(b"\n\r") == [Event(b"y")]


def test_a_byte_order_mark_counts_at_the_start_only() -> None:
    assert decoded([b"\xef", b"\xbb", b"\xbfdata: x\n\n"]) == [Event(b"x")]
    assert decoded([b"\n\xef\xbb\xbfdata: x\n\n"]) == []
    assert decoded([b"\xef\xbb\xbf\xef\xbb\xbfdata: x\n\n"]) == []


@pytest.mark.parametrize(
    "raw",
    [
        b"data: " + b"x" * 101,
        b"data: " + b"x" * 101 + b"\n\n",
        b"data: " + b"x" * 60 + b"\ndata: " + b"x" * 40 + b"\n\n",
        b"data\n" * 102,
        b":" + b"x" * 200,
        b":" + b"x" * 200 + b"\n",
        b"event: " + b"x" * 200 + b"\n",
    ],
)
@pytest.mark.parametrize("step", [1, 7, 1000])
def test_an_event_over_the_bound_is_refused_however_it_comes(raw: bytes, step: int) -> None:
    with pytest.raises(ValueError, match="more than 100 bytes"):
        decoded([raw[n : n + step] for n in range(0, len(raw), step)], most=100)


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_an_event_of_the_bound_is_taken_however_often(step: int) -> None:
    raw = (b"data: " + b"x" * 100 + b"\n\n") * 3
    chunks = [raw[n : n + step] for n in range(0, len(raw), step)]

    assert decoded(chunks, most=100) == [Event(b"x" * 100)] * 3


def test_a_comment_keeps_a_stream_alive_and_is_no_event() -> None:
    assert decoded([KEEP_ALIVE, encode(b"x"), KEEP_ALIVE]) == [Event(b"x")]


def test_data_cannot_start_a_field_of_its_own() -> None:
    forged = b"x\r\rdata: forged\r\nevent: y\n\nid: 9"

    [event] = decoded([encode(forged)])

    assert event == Event(b"x\n\ndata: forged\nevent: y\n\nid: 9")


@pytest.mark.parametrize("name", ["a\nb", "a\rb"])
def test_a_name_cannot_start_a_field_of_its_own(name: str) -> None:
    with pytest.raises(ValueError, match="one line"):
        encode(b"x", name)


@pytest.mark.parametrize(
    ("raw", "last", "retry"),
    [
        (b"", "before", None),
        (b"id: 7\n\n", "7", None),
        (b"id: 7\nretry: 250\ndata: x\n\n", "7", 250),
        (b"id: a\0b\nretry: soon\n\n", "before", None),
        (b"retry: -1\n\nretry: 1.5\n\n", "before", None),
        (b"retry: 99999999999999999999\n\n", "before", None),
        (b"id\n\n", "", None),
    ],
)
@pytest.mark.requirement("upstreams:closed-streams-are-taken-up-again")
def test_where_a_stream_may_be_taken_up_again_and_when_is_kept(
    raw: bytes, last: str, retry: int | None
) -> None:
    decoder = Decoder(last_id="before")
    decoder.feed(raw)

    assert (decoder.last_id, decoder.retry) == (last, retry)


def test_an_event_with_an_id_reads_back_with_it() -> None:
    assert decoded([encode(b'{"a":1}', id_="ab-7")]) == [Event(b'{"a":1}', "message", "ab-7")]


@pytest.mark.parametrize("id_", ["a\nb", "a\r"])
def test_an_id_that_would_end_its_line_is_refused(id_: str) -> None:
    with pytest.raises(ValueError, match="one line"):
        encode(b"{}", id_=id_)


def test_an_event_to_come_back_to_has_an_id_and_no_data() -> None:
    assert decoded([priming("ab-0", 1000)]) == [Event(b"", "message", "ab-0")]
    assert b"\nretry: 1000\n" in priming("ab-0", 1000)
