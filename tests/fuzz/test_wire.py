"""Any bytes, to everything on the wire that reads some: read in one way, or refused as it says."""

import itertools
import json
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.wire import jsonrpc, legacy, mirror, modern, sse, trace
from mcp_gateway.wire.answer import Answer
from mcp_gateway.wire.envelope import Envelope
from mcp_gateway.wire.failures import HttpFailed

SAMPLES: Final = (
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"b":[1]}}}',
    b'{"jsonrpc":"2.0","id":7,"result":{"content":[{"text":"\\ud83d\\ude00"}],"_meta":{}}}',
    b'{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"no","data":{"a":1e3}}}',
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 9\r\n\r\ndata: a\n\n",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"\xef\xbb\xbfevent: message\r\nid: 3\r\ndata: {}\r\ndata\r\n\r\n: c\n\n",
    b"=?base64?aGVsbG8=?=",
    b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)
PIECES: Final = st.one_of(
    st.binary(max_size=20),
    st.sampled_from([b"\r\n", b"\\u0000", b'"', b"{", b"]", b",", b"1e400", b"9" * 30, b"\\ud800"]),
)


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """A sound sample of one kind or another in which some pieces are not."""
    raw = draw(st.sampled_from(SAMPLES))
    for _ in range(draw(st.integers(0, 4))):
        at, length = draw(st.integers(0, len(raw))), draw(st.integers(0, 10))
        raw = raw[:at] + draw(PIECES) + raw[at + length :]
    return raw


MIRRORED: Final = {
    "type": "object",
    "properties": {"a": {"type": "string", "x-mcp-header": "A"}},
}
ANY: Final = changed() | st.binary(max_size=200)
CUTS: Final = st.lists(st.integers(0, 250), max_size=6)


def cut(raw: bytes, where: list[int]) -> list[bytes]:
    edges = sorted({0, len(raw), *(at for at in where if at < len(raw))})
    return [raw[start:end] for start, end in itertools.pairwise(edges)]


def outcome(read: Callable[[], Any], *refusals: type[Exception]) -> Any:
    """What was read, or that it was refused; anything else comes out."""
    try:
        return read()
    except refusals:
        return "refused"


@pytest.mark.requirement("wire:any-bytes")
@given(ANY)
def test_a_message_is_json_rpc_or_malformed(raw: bytes) -> None:
    message = outcome(lambda: jsonrpc.parse(raw), jsonrpc.Malformed)
    if message == "refused":
        return

    found = json.loads(raw)
    assert found["jsonrpc"] == "2.0"
    assert found.get("method", "") == message.method
    assert not message.id or json.loads(message.id) == found["id"]
    assert isinstance(message.params.view(), dict)


@pytest.mark.requirement("wire:any-bytes")
@given(ANY, CUTS)
def test_an_answer_is_read_alike_in_any_cut_or_refused(raw: bytes, cuts: list[int]) -> None:
    def read(pieces: list[bytes]) -> Any:
        answer = Answer(100)
        for piece in pieces:
            if not answer.complete:
                answer.feed(piece)
        return answer.status, answer.headers, answer.take(), answer.complete

    whole = outcome(lambda: read([raw]), HttpFailed)
    assert outcome(lambda: read(cut(raw, cuts)), HttpFailed) == whole or whole == "refused"


@pytest.mark.requirement("wire:any-bytes")
@given(ANY, CUTS, st.integers(0, 60))
def test_events_are_the_same_in_any_cut(raw: bytes, cuts: list[int], most: int) -> None:
    def read(pieces: list[bytes]) -> Any:
        decoder = sse.Decoder(most)
        return [event for piece in pieces for event in decoder.feed(piece)]

    assert outcome(lambda: read(cut(raw, cuts)), ValueError) == outcome(
        lambda: read([raw]), ValueError
    )


@pytest.mark.requirement("wire:any-bytes")
@given(ANY, CUTS, st.integers(0, 60))
def test_a_large_event_flows_or_waits(raw: bytes, cuts: list[int], most: int) -> None:
    decoder = sse.Decoder(most, flows=True)
    for piece in cut(raw, cuts):
        if decoder.flowing:
            assert isinstance(decoder.flowing.feed(piece), bytes)
        else:
            decoder.feed(piece)


@pytest.mark.requirement("wire:any-bytes")
@given(ANY, CUTS)
def test_a_large_result_is_the_one_of_the_message_or_none(raw: bytes, cuts: list[int]) -> None:
    def read() -> bytes:
        envelope = Envelope(b"7", b'"resultType":"complete"')
        return b"".join([*map(envelope.feed, cut(raw, cuts)), envelope.end()])

    made = outcome(read, ValueError)
    if made == "refused":
        return

    try:
        message = json.loads(raw)
    except ValueError:  # what is between the brackets is no JSON, and comes out as none
        with pytest.raises(ValueError, match=r"."):
            json.loads(made)
        return
    assert message["id"] == 7
    assert json.loads(made) == {**message["result"], "resultType": "complete"}


@pytest.mark.requirement("wire:any-bytes")
@given(ANY)
def test_what_crosses_the_border_of_eras_is_an_object_or_refused(raw: bytes) -> None:
    for method in ("tools/call", "resources/read"):
        there = outcome(lambda m=method: legacy.result_to_modern(m, raw), ValueError)  # type: ignore[misc]
        if there != "refused":
            back = legacy.result_to_legacy(method, there)
            assert "resultType" not in jsonrpc.members(back)


@pytest.mark.requirement("wire:any-bytes")
@given(ANY)
def test_a_header_is_decoded_or_a_mismatch(raw: bytes) -> None:
    text = raw.decode("latin-1")

    found = outcome(lambda: modern.decode_header(text), modern.Mismatch)

    assert found == "refused" or modern.decode_header(modern.encode_header(found)) == found
    assert trace.accept(text) in ("", text)


@pytest.mark.requirement("wire:any-bytes")
@given(st.text(max_size=40))
def test_an_argument_comes_back_from_its_header(value: str) -> None:
    mirrors = mirror.annotated(MIRRORED)

    [(name, encoded)] = mirror.headers(mirrors, {"a": value})

    assert (name, modern.decode_header(encoded)) == ("mcp-param-a", value)
    assert encoded.isascii()
    assert encoded.isprintable()


@pytest.mark.requirement("wire:any-bytes")
@given(ANY)
def test_a_mirrored_header_of_any_bytes_is_equal_or_a_mismatch(raw: bytes) -> None:
    mirrors, header = mirror.annotated(MIRRORED), (b"mcp-param-a", raw)

    said = outcome(lambda: mirror.check(mirrors, {"a": "b"}, [header]), modern.Mismatch)

    assert said == "refused" or modern.decode_header(raw.decode("latin-1").strip()) == "b"
