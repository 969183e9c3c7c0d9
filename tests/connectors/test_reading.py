"""The events of one stream as messages. What becomes of a closed one is in test_http_line.py."""

import pytest

from connectors.endpoint import Endpoint
from connectors.reading import Reading
from mcp_gateway.core.errors import ResultTooLarge, UpstreamFailed, UpstreamTimedOut
from mcp_gateway.wire import sse
from tests.connectors.conftest import Around
from tests.connectors.http import CLOSE, EVENTS, KEY, raw_upstream


async def read(around: Around, said: bytes, found: list[bytes], idle: float = 5) -> None:
    """Finds the messages of a stream, until it fails."""
    async with raw_upstream(lambda _: said, era="") as up:
        endpoint = Endpoint("up", around.services.http, up.url, 5)
        reading = Reading("up", await endpoint.send("GET", (), b"", KEY))
        try:
            while True:
                found.append((await reading.next(idle)).raw)
        finally:
            reading.leave()
            reading.leave()


ONE = b'{"jsonrpc":"2.0","method":"a"}'


@pytest.mark.parametrize(
    ("said", "failure", "why"),
    [
        (b"data: %b\n\n" % ONE, UpstreamFailed, "ended its stream without an answer"),
        (b"data: {\n\n", UpstreamFailed, "in its stream is not JSON"),
        (b"data: 7\n\n", UpstreamFailed, "in its stream"),
        (b"data: " + b"x" * (sse.MOST + 10), ResultTooLarge, "more than"),
    ],
)
async def test_what_ends_a_stream_is_told(
    around: Around, said: bytes, failure: type[Exception], why: str
) -> None:
    with pytest.raises(failure, match=why):
        await read(around, CLOSE + EVENTS + said, [])


async def test_events_that_come_together_are_messages_one_by_one(around: Around) -> None:
    found: list[bytes] = []
    said = b"id: 1\ndata: \n\n: comment\n\n" + b"data: %b\n\n" % ONE * 3
    with pytest.raises(UpstreamFailed):
        await read(around, CLOSE + EVENTS + said, found)
    assert found == [ONE] * 3


async def test_a_stream_that_says_nothing_is_late(around: Around) -> None:
    with pytest.raises(UpstreamTimedOut):
        await read(around, EVENTS, [], idle=0.05)
