"""Answers in pieces, and the signs of life of one that is long in coming."""

import asyncio
import json
from collections.abc import AsyncGenerator

import pytest

from mcp_gateway.core.body import Body
from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.edge.asgi import JSON
from mcp_gateway.edge.pulse import Pulse
from mcp_gateway.edge.refusals import Answer
from mcp_gateway.edge.stream import Stream
from tests.support.asgi import Exchange
from tests.support.edge import EdgeUnderTest, message
from tests.support.fakes import FakeStream
from tests.support.waiting import until

DONE = Answer(200, (JSON,), b'{"jsonrpc":"2.0","id":1,"result":{}}')
NOTE = Body(b'{"jsonrpc":"2.0","method":"notifications/progress"}')
ADD = {"name": "github__add", "arguments": {"a": 1}}


class Pieces:
    """A flow of these pieces; `breaks` comes after them."""

    def __init__(self, *pieces: bytes, breaks: Exception | None = None) -> None:
        self._pieces = pieces
        self._breaks = breaks
        self.closed = False

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        for piece in self._pieces:
            await asyncio.sleep(0)
            yield piece
        if self._breaks:
            raise self._breaks

    def lost(self) -> bytes:
        return b'{"lost":true}'

    async def aclose(self) -> None:
        self.closed = True


def flowing(*pieces: bytes, breaks: Exception | None = None) -> Answer:
    return Answer(200, (JSON,), b"", Pieces(*pieces, breaks=breaks))


@pytest.mark.requirement("streams:large-results-pass")
async def test_an_answer_in_pieces_is_plain_json_without_a_length() -> None:
    exchange = Exchange()

    await Stream(exchange.send, events=True).finish(flowing(b'{"a":', b"1}"))

    assert exchange.answered.header(b"content-type") == b"application/json"
    assert exchange.answered.all(b"content-length") == []
    assert (exchange.answered.json(), exchange.answered.whole) == ({"a": 1}, True)
    assert len(exchange.answered.parts) == 3


async def test_after_a_notification_it_is_one_event_whatever_line_ends_it_holds() -> None:
    exchange = Exchange()
    made = Stream(exchange.send, events=True)
    await made.notify(NOTE)

    await made.finish(flowing(b'{"a":\r', b'\n"x"}\n\n'))

    assert exchange.answered.events() == [json.loads(NOTE.raw), {"a": "x"}]
    assert exchange.answered.body.endswith(b"\n\n")
    assert exchange.answered.body.count(b"\n\n") == 2


@pytest.mark.requirement("streams:a-cut-answer-is-none")
@pytest.mark.parametrize("notified", [True, False])
async def test_one_that_breaks_off_has_no_end(*, notified: bool) -> None:
    exchange = Exchange()
    made = Stream(exchange.send, events=True)
    if notified:
        await made.notify(NOTE)

    with pytest.raises(ConnectionAbortedError):
        await made.finish(flowing(b'{"a":', breaks=UpstreamFailed("away")))

    assert not exchange.answered.whole


async def test_a_second_answer_in_pieces_is_left() -> None:
    exchange = Exchange()
    made, late = Stream(exchange.send, events=True), Pieces(b"{}")
    await made.finish(DONE)

    await made.finish(Answer(200, (JSON,), b"", late))

    assert late.closed


@pytest.mark.requirement("streams:keep-alives")
async def test_a_call_that_takes_long_becomes_a_stream_with_signs_of_life() -> None:
    exchange = Exchange()
    made = Stream(exchange.send, events=True, pulse=Pulse(0.05))

    await until(lambda: exchange.answered.body.count(b":\n\n") >= 3)
    await made.finish(DONE)
    made.close()

    assert exchange.answered.header(b"content-type") == b"text/event-stream"
    assert exchange.answered.events() == [json.loads(DONE.message)]
    assert exchange.answered.whole


@pytest.mark.requirement("streams:keep-alives")
async def test_who_takes_no_event_streams_gets_no_signs() -> None:
    exchange, pulse = Exchange(), Pulse(0.01)
    made = Stream(exchange.send, events=False, pulse=pulse)

    await asyncio.sleep(0.05)
    await made.finish(DONE)

    assert exchange.answered.header(b"content-type") == b"application/json"
    assert not pulse._all


async def test_a_stream_that_speaks_gets_no_signs() -> None:
    exchange = Exchange()
    made = Stream(exchange.send, events=True)
    await made.notify(NOTE)

    made.beat()
    await made.notify(NOTE)
    made.beat()
    await made.finish(DONE)

    assert b":\n\n" not in exchange.answered.body


@pytest.mark.parametrize("turns", [0, 1, 2])
async def test_an_answer_that_meets_a_sign_of_life_is_whole(turns: int) -> None:
    exchange = Exchange()
    made = Stream(exchange.send, events=True)
    made.beat()
    made.beat()
    for _ in range(turns):
        await asyncio.sleep(0)

    await made.finish(DONE)
    made.close()
    await asyncio.sleep(0)

    body = exchange.answered.body
    assert json.loads(body.rpartition(b"data: ")[2] or body) == json.loads(DONE.message)
    assert exchange.answered.whole


async def test_nothing_is_said_behind_the_answer() -> None:
    exchange = Exchange()
    made = Stream(exchange.send, events=True)
    await made.finish(DONE)

    made.beat()
    made.beat()
    await made.notify(NOTE)

    assert exchange.answered.body == DONE.message


async def test_a_stream_that_was_closed_says_nothing() -> None:
    exchange, pulse = Exchange(), Pulse(0.01)
    made = Stream(exchange.send, events=True, pulse=pulse)

    made.close()
    await asyncio.sleep(0.04)

    assert exchange.answered.parts == []
    assert not pulse._all


@pytest.mark.requirement("streams:large-results-pass")
@pytest.mark.parametrize("modern", [True, False])
async def test_the_edge_relays_a_result_that_is_not_held(*, modern: bool) -> None:
    edge = EdgeUnderTest()
    edge.result = Body(b"", stream=FakeStream([b'{"resultType":"complete",', b'"content":[]}']))

    answered = await (edge.modern if modern else edge.legacy)("tools/call", ADD)

    more = {"resultType": "complete"} if modern else {}
    assert answered.json() == {"jsonrpc": "2.0", "id": 1, "result": {"content": [], **more}}


async def test_what_fails_before_its_first_piece_is_refused_in_words() -> None:
    edge = EdgeUnderTest()
    edge.result = Body(b"", stream=FakeStream([], breaks=UpstreamFailed("it is away")))

    answered = await edge.modern("tools/call", ADD)

    assert answered.json()["result"]["isError"] is True
    assert "it is away" in str(answered.json())


@pytest.mark.requirement("streams:a-cut-answer-is-none")
async def test_what_fails_later_leaves_no_whole_answer() -> None:
    edge = EdgeUnderTest()
    pieces = [b'{"a":', b"1"]
    edge.result = Body(b"", stream=FakeStream(pieces, breaks=UpstreamFailed("it is away")))

    answered = await edge.modern("tools/call", ADD)

    assert not answered.whole


@pytest.mark.requirement("streams:a-reader-that-is-gone-cancels")
async def test_a_legacy_caller_who_hangs_up_leaves_the_rest_too() -> None:
    edge, stream = EdgeUnderTest(), FakeStream([b'{"a":1', *[b" "] * 1_000_000])
    edge.result = Body(b"", stream=stream)
    exchange = edge.exchange(message("tools/call", ADD))
    asked = asyncio.ensure_future(exchange.run(edge.app))
    await until(lambda: stream.given > 10)

    exchange.hang_up.set()
    answered = await asked

    assert not answered.whole
    assert stream.given < len(stream.pieces)
    assert stream.closed
