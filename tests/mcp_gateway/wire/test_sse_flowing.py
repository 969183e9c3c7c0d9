"""An event that is too large to be held has the same data as one that is."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.wire.sse import Decoder, Event

ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])
VALUES = st.binary(max_size=30).map(lambda raw: raw.replace(b"\r", b"").replace(b"\n", b""))
FIELDS = st.sampled_from([b"data: ", b"data:"])
OTHERS = st.sampled_from([b"data", b"event: x", b": c", b"id: 3", b"datax: y", b"d"])
LINES = st.lists(
    st.builds(lambda f, v, e: f + v + e, FIELDS, VALUES, ENDS)
    | st.builds(lambda o, e: o + e, OTHERS, ENDS),
    min_size=1,
)


def read(chunks: list[bytes], most: int) -> tuple[list[bytes], bytes | None]:
    """The data of the events that were held, and of the first that was not, if it is whole."""
    decoder, held, flowed = Decoder(most, flows=True), list[bytes](), b""
    for chunk in chunks:
        if decoder.flowing:
            flowed += decoder.flowing.feed(chunk)
            continue
        held += [event.data for event in decoder.feed(chunk)]
        if decoder.flowing:
            flowed += b"".join(decoder.flowing.held())
    return held, flowed if decoder.flowing and decoder.flowing.done else None


@given(LINES, st.integers(0, 40), st.lists(st.integers(0, 400)))
def test_what_flows_is_what_would_have_been_held(
    lines: list[bytes], most: int, cuts: list[int]
) -> None:
    raw = b"\xef\xbb\xbf" + b"".join(lines) + b"\n\n"
    edges = sorted({0, len(raw), *(cut for cut in cuts if cut < len(raw))})
    chunks = [raw[a:b] for a, b in itertools.pairwise(edges)]

    held, flowed = read(chunks, most)

    expected = [event.data for event in Decoder().feed(raw)]
    assert [*held, *([] if flowed is None else [flowed])] == expected or flowed == b""


def test_events_before_a_large_one_are_whole_and_what_is_behind_it_is_left() -> None:
    large = b"x" * 500
    raw = b"data: 1\n\ndata: 2\n\ndata: %b\n\ndata: 3\n\n" % large

    held, flowed = read([raw[at : at + 100] for at in range(0, len(raw), 100)], 50)

    assert (held, flowed) == ([b"1", b"2"], large)


def test_one_that_never_ends_is_never_done() -> None:
    assert read([b"data: ", b"x" * 100, b"y" * 100], 50) == ([], None)


def test_one_that_comes_in_one_chunk_is_simply_held() -> None:
    assert read([b"data: %b\n\n" % (b"x" * 100)], 50) == ([b"x" * 100], None)


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_bytes_that_only_look_like_an_end_are_none(end: bytes) -> None:
    parts = [b"data: " + b"x" * 100, end[:1], end[1:] + b"data: more", end, end]

    assert read(parts, 50) == ([], b"x" * 100 + b"\nmore")


def test_a_decoder_that_does_not_flow_refuses() -> None:
    with pytest.raises(ValueError, match="more than 50 bytes"):
        Decoder(50).feed(b"data: " + b"x" * 100)
    assert Decoder(500, flows=True).feed(b"data: x\n\n") == [Event(b"x")]
