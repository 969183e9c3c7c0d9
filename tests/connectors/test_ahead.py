"""A stream that is read on while its call is parked."""

import pytest

from connectors.ahead import Ahead
from connectors.endpoint import Endpoint
from connectors.heard import OPEN, Said
from connectors.reading import Reading
from mcp_gateway.core.errors import QuestionExpired, UpstreamFailed
from mcp_gateway.wire import jsonrpc
from tests.connectors.conftest import Around
from tests.connectors.http import CLOSE, EVENTS, KEY, raw_upstream

QUESTION = jsonrpc.request(b"7", "roots/list", b"{}")
NOTE = jsonrpc.notification("notifications/message", b"{}")


def stream(*messages: bytes) -> bytes:
    return EVENTS + b"".join(b"data: %b\n\n" % message for message in messages)


async def ahead(around: Around, url: str, ponged: list[bytes]) -> Ahead:
    async def pong(said: Said) -> None:
        ponged.append(said.message.id)

    endpoint = Endpoint("up", around.services.http, url, 5)
    reading = Reading("up", await endpoint.send("GET", (), b"", KEY))
    return Ahead("up", reading, b"1", pong)


async def test_everything_is_kept_in_its_place_and_a_ping_is_answered(around: Around) -> None:
    ponged: list[bytes] = []
    other, own = jsonrpc.result(b"2", b"{}"), jsonrpc.result(b"1", b'{"a":1}')
    ping = jsonrpc.request(b'"p"', "ping", b"{}")
    said = stream(NOTE, ping, other, NOTE, own)
    async with raw_upstream(lambda _: said, era="") as up:
        found = await ahead(around, up.url, ponged)
        came = [(await found.next(5)).raw for _ in range(3)]
        found.leave()

    assert came == [NOTE, NOTE, own]
    assert ponged == [b'"p"']


async def test_who_asks_without_end_is_not_kept(around: Around) -> None:
    said = stream(*[QUESTION] * (OPEN + 1))
    async with raw_upstream(lambda _: said, era="") as up:
        found = await ahead(around, up.url, [])
        found.park(b"8")
        assert await found.decided() == "lost"
        with pytest.raises(QuestionExpired, match="too much"):
            await found.next(5)
        found.leave()


async def test_a_stream_that_ends_is_lost(around: Around) -> None:
    async with raw_upstream(lambda _: CLOSE + stream(NOTE), era="") as up:
        found = await ahead(around, up.url, [])
        found.park(b"8")
        assert await found.decided() == "lost"
        assert (await found.next(5)).raw == NOTE
        with pytest.raises(UpstreamFailed, match="ended its stream"):
            await found.next(5)
        found.leave()


async def test_who_has_left_is_told_nothing_more(around: Around) -> None:
    async with raw_upstream(lambda _: EVENTS, era="") as up:
        found = await ahead(around, up.url, [])
        found.leave()
        found.leave()
        with pytest.raises(QuestionExpired):
            await found.next(5)


async def test_only_the_question_that_is_open_can_be_withdrawn(around: Around) -> None:
    async with raw_upstream(lambda _: EVENTS, era="") as up:
        found = await ahead(around, up.url, [])
        found.park(b"7")
        found.withdrawn(b"8")
        assert found.fate == "open"
        found.withdrawn(b"7")
        assert (await found.decided(), found.over) == ("taken_back", False)
        found.leave()
