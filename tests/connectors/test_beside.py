"""The stream of a session: what an upstream says there, and that there may be none."""

import asyncio

import pytest

from connectors import beside
from mcp_gateway.core.errors import QuestionExpired
from tests.connectors.answering import able, answered, asked_of, retry
from tests.connectors.conftest import Around
from tests.connectors.http import (
    CLOSE,
    EVENTS,
    Asked,
    answer_of,
    connected,
    echo,
    raw_upstream,
    said,
)
from tests.support.calls import Inbox
from tests.support.tcp import plain
from tests.support.waiting import until

ROOTS = b'{"jsonrpc":"2.0","id":"r","method":"roots/list"}'


class Listening:
    """A server that answers calls in streams, and holds the streams of sessions."""

    def __init__(self, head: bytes = EVENTS) -> None:
        self.head = head
        self.streams: list[Asked] = []

    def __call__(self, asked: Asked) -> bytes:
        if asked.verb == "GET":
            self.streams.append(asked)
            return self.head
        if asked.method == "tools/call":
            return EVENTS
        return plain(b"", status=b"202 Accepted")


@pytest.mark.requirement("questions:beside-the-stream")
async def test_what_is_asked_beside_the_one_call_is_asked_of_its_caller(around: Around) -> None:
    server = Listening()
    async with raw_upstream(server, era="legacy") as up, connected(around, up.url) as connector:
        made = able(echo())
        sending = asyncio.ensure_future(connector.send(made))
        await until(lambda: up.of("tools/call"))
        server.streams[0].say(ROOTS)
        asked = await sending
        resuming = asyncio.ensure_future(answered(connector, made, asked))
        await until(lambda: [a for a in up.of("") if a.message])
        (request,) = up.of("tools/call")
        request.say(answer_of(request))

        assert said(await resuming) == "done"
    assert server.streams[0].head["accept"] == "text/event-stream"


async def test_who_can_be_asked_nothing_is_not_listened_for(around: Around) -> None:
    server = Listening()
    async with raw_upstream(server, era="legacy") as up, connected(around, up.url) as connector:
        sending = asyncio.ensure_future(connector.send(echo()))
        await until(lambda: up.of("tools/call"))
        (request,) = up.of("tools/call")
        request.say(answer_of(request))
        await sending

    assert server.streams == []


async def test_a_log_message_beside_the_one_call_is_its_own_and_of_several_nobodys(
    around: Around,
) -> None:
    server = Listening()
    note = b'{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error"}}'
    inboxes = [Inbox(), Inbox()]
    async with raw_upstream(server, era="legacy") as up, connected(around, up.url) as connector:
        calls = [able(echo(level="info", notify=inbox)) for inbox in inboxes]
        first = asyncio.ensure_future(connector.send(calls[0]))
        await until(lambda: up.of("tools/call"))
        server.streams[0].say(note)
        await until(lambda: inboxes[0].messages)
        second = asyncio.ensure_future(connector.send(calls[1]))
        await until(lambda: len(up.of("tools/call")) == 2)
        server.streams[0].say(note)
        for request in up.of("tools/call"):
            request.say(answer_of(request))
        await asyncio.gather(first, second)

    assert [len(inbox.messages) for inbox in inboxes] == [1, 0]


@pytest.mark.requirement("questions:taken-back")
async def test_a_question_that_is_withdrawn_beside_the_stream_is_expired(around: Around) -> None:
    server = Listening()
    async with raw_upstream(server, era="legacy") as up, connected(around, up.url) as connector:
        made = able(echo())
        sending = asyncio.ensure_future(connector.send(made))
        await until(lambda: up.of("tools/call"))
        server.streams[0].say(ROOTS)
        waiting = asked_of(await sending).parked
        assert waiting is not None
        server.streams[0].say(
            b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"r"}}'
        )
        assert await waiting.fate() == "taken_back"
        with pytest.raises(QuestionExpired):
            await waiting.resume(retry(made, {"roots-1": {"roots": []}}))


async def test_a_stream_that_ends_is_asked_for_again(
    around: Around, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beside, "PAUSE", 0.01)
    server = Listening(CLOSE + EVENTS)
    async with raw_upstream(server, era="legacy") as up, connected(around, up.url) as connector:
        sending = asyncio.ensure_future(connector.send(able(echo())))
        await until(lambda: len(server.streams) >= 3)
        (request,) = up.of("tools/call")
        request.say(answer_of(request))

        assert said(await sending) == "done"
    ended = len(server.streams)
    await asyncio.sleep(0.1)
    assert len(server.streams) == ended


@pytest.mark.parametrize(
    "head", [plain(b"", status=b"405 Method Not Allowed"), plain(b"", status=b"401 Unauthorized")]
)
async def test_a_server_without_such_a_stream_is_called_all_the_same(
    around: Around, head: bytes
) -> None:
    server = Listening(head)
    async with raw_upstream(server, era="legacy") as up, connected(around, up.url) as connector:
        sending = asyncio.ensure_future(connector.send(able(echo())))
        await until(lambda: up.of("tools/call"))
        (request,) = up.of("tools/call")
        request.say(answer_of(request))

        assert said(await sending) == "done"
    assert len(server.streams) == 1


async def test_a_stream_that_begins_late_holds_up_the_first_call_for_a_moment_only(
    around: Around, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beside, "FIRST", 0.05)
    server = Listening(b"")
    async with raw_upstream(server, era="legacy") as up, connected(around, up.url) as connector:
        sending = asyncio.ensure_future(connector.send(able(echo())))
        await until(lambda: up.of("tools/call"))
        (request,) = up.of("tools/call")
        request.say(answer_of(request))

        assert said(await sending) == "done"
