"""The stream of one request: taken up again where it was closed (SEP-1699), and read ahead."""

import asyncio
from typing import Any

import pytest

from connectors import reading
from mcp_gateway.core.credential import CredentialRefused
from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.wire import jsonrpc
from tests.connectors.answering import able, asked_of, retry
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
from tests.connectors.parking import KEYED, QUESTION
from tests.support.calls import Inbox
from tests.support.tcp import plain
from tests.support.waiting import until

PRIMED = CLOSE + EVENTS + b"id: e-1\nretry: 60\ndata: \n\n"
NOTE = b'{"jsonrpc":"2.0","method":"notifications/com.example/own","params":{}}'


class Polled:
    """A server that closes the stream of a call, and goes on with it when it is asked."""

    def __init__(self, *rounds: bytes, last: Any = answer_of) -> None:
        self.rounds = list(rounds)
        self.last = last
        self.call: Asked | None = None
        self.polls: list[Asked] = []

    def __call__(self, asked: Asked) -> bytes:
        if asked.verb == "GET" and "last-event-id" in asked.head:
            self.polls.append(asked)
            if self.rounds:
                return self.rounds.pop(0)
            assert self.call is not None
            return EVENTS + b"id: e-9\ndata: %b\n\n" % self.last(self.call)
        if asked.verb == "GET":
            return plain(b"", status=b"405 Method Not Allowed")
        if asked.method == "tools/call":
            self.call = asked
            return PRIMED
        return plain(b"", status=b"202 Accepted")


@pytest.mark.requirement("upstreams:closed-streams-are-taken-up-again")
async def test_a_stream_that_the_upstream_closes_is_taken_up_again_after_its_last_event(
    around: Around,
) -> None:
    inbox = Inbox()
    polled = Polled(CLOSE + EVENTS, CLOSE + EVENTS + b"id: e-2\ndata: %b\n\n" % NOTE)
    async with raw_upstream(polled, era="legacy") as up, connected(around, up.url) as connector:
        started = asyncio.get_running_loop().time()
        answer = await connector.send(echo(notify=inbox))
        took = asyncio.get_running_loop().time() - started

    assert said(answer) == "done"
    assert [poll.head["last-event-id"] for poll in polled.polls] == ["e-1", "e-1", "e-2"]
    assert {poll.head["mcp-session-id"] for poll in polled.polls} == {"s-1"}
    assert {poll.head["authorization"] for poll in polled.polls} == {"Bearer s3cr3t-k3y"}
    assert took >= 3 * 0.06
    assert len(inbox.messages) == 1
    assert len(up.of("tools/call")) == 1


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_a_stream_without_events_to_go_on_after_is_at_its_end(
    around: Around, era: Any
) -> None:
    async with (
        raw_upstream(lambda _: CLOSE + EVENTS, era=era) as up,
        connected(around, up.url) as connector,
    ):
        with pytest.raises(UpstreamFailed, match="ended its stream without an answer"):
            await connector.send(echo())
    assert [asked for asked in up.asked if asked.verb == "GET"] == []


async def test_a_modern_upstream_is_never_asked_to_go_on_with_a_stream(around: Around) -> None:
    async with (
        raw_upstream(lambda _: PRIMED) as up,
        connected(around, up.url) as connector,
    ):
        with pytest.raises(UpstreamFailed, match="ended its stream without an answer"):
            await connector.send(echo())
    assert [asked for asked in up.asked if asked.verb == "GET"] == []


@pytest.mark.parametrize(
    "refusal",
    [plain(b"", status=b"405 Method Not Allowed"), plain(b"", status=b"404 Not Found")],
)
async def test_an_upstream_that_does_not_go_on_has_failed_the_call(
    around: Around, refusal: bytes
) -> None:
    polled = Polled(refusal)
    async with raw_upstream(polled, era="legacy") as up, connected(around, up.url) as connector:
        with pytest.raises(UpstreamFailed, match="does not go on with it"):
            await connector.send(echo())


async def test_an_upstream_that_closes_stream_after_stream_is_not_followed_for_ever(
    around: Around, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LEAST", 0.01)
    polled = Polled(*[CLOSE + EVENTS] * 1000)
    async with (
        raw_upstream(polled, era="legacy") as up,
        connected(around, up.url, timeout=0.5) as connector,
    ):
        with pytest.raises(Exception, match="without an answer"):
            await connector.send(echo())
    assert 2 <= len(polled.polls) < 50


@pytest.mark.requirement("upstreams:closed-streams-are-taken-up-again")
async def test_a_call_that_is_parked_is_taken_up_again_as_well(around: Around) -> None:
    asks = PRIMED + b"id: e-2\ndata: %b\n\n" % QUESTION
    polled = Polled()

    def say(asked: Asked) -> bytes:
        found = polled(asked)
        return asks if asked.method == "tools/call" else found

    async with raw_upstream(say, era="legacy") as up, connected(around, up.url) as connector:
        made = able(echo())
        waiting = asked_of(await connector.send(made)).parked
        assert waiting is not None
        await until(lambda: polled.polls)
        answer = await waiting.resume(retry(made, KEYED))

    assert said(answer) == "done"
    assert polled.polls[0].head["last-event-id"] == "e-2"


async def test_a_ping_is_answered_while_the_call_is_parked(around: Around) -> None:
    ping = b'{"jsonrpc":"2.0","id":"p","method":"ping"}'

    def say(asked: Asked) -> bytes:
        if asked.verb == "GET":
            return plain(b"", status=b"405 Method Not Allowed")
        if asked.method == "tools/call":
            return EVENTS + b"data: %b\n\ndata: %b\n\n" % (QUESTION, ping)
        return plain(b"", status=b"202 Accepted")

    async with raw_upstream(say, era="legacy") as up, connected(around, up.url) as connector:
        await connector.send(able(echo()))
        await until(lambda: [asked for asked in up.of("") if asked.message])

    (pong,) = [asked.message for asked in up.of("") if asked.message]
    assert pong == {"jsonrpc": "2.0", "id": "p", "result": {}}


@pytest.mark.parametrize(
    ("status", "failure"),
    [(b"401 Unauthorized", CredentialRefused), (b"500 Oops", UpstreamFailed)],
)
async def test_an_answer_that_is_not_taken_is_the_end_of_the_call(
    around: Around, status: bytes, failure: type[Exception]
) -> None:
    def say(asked: Asked) -> bytes:
        if asked.verb == "GET":
            return plain(b"", status=b"405 Method Not Allowed")
        if asked.method == "tools/call":
            return EVENTS + b"data: %b\n\n" % QUESTION
        return plain(b"", status=status)

    async with raw_upstream(say, era="legacy") as up, connected(around, up.url) as connector:
        made = able(echo())
        waiting = asked_of(await connector.send(made)).parked
        assert waiting is not None
        with pytest.raises(failure):
            await waiting.resume(retry(made, KEYED))

        assert not any(session.busy for session in connector._sessions._open.values())


async def test_two_questions_at_once_of_one_call_are_asked_one_after_the_other(
    around: Around,
) -> None:
    second = QUESTION.replace(b"q-1", b"q-2").replace(b"Who", b"And who")

    def say(asked: Asked) -> bytes:
        if asked.verb == "GET":
            return plain(b"", status=b"405 Method Not Allowed")
        if asked.method == "tools/call":
            return EVENTS + b"data: %b\n\ndata: %b\n\n" % (QUESTION, second)
        return plain(b"", status=b"202 Accepted")

    async with raw_upstream(say, era="legacy") as up, connected(around, up.url) as connector:
        made = able(echo())
        first = asked_of(await connector.send(made))
        assert first.parked is not None
        again = asked_of(await first.parked.resume(retry(made, KEYED)))

    assert list(again.questions) == ["elicitation-2"]
    assert jsonrpc.decode(again.questions["elicitation-2"].params)["message"] == "And who?"


async def test_what_is_asked_before_the_stream_is_there_waits_for_it_and_only_once(
    around: Around,
) -> None:
    beside: list[Asked] = []

    def say(asked: Asked) -> bytes:
        if asked.verb == "GET":
            beside.append(asked)
            return EVENTS
        if asked.method == "tools/call":
            for id_ in (b"q-1", b"q-2"):
                beside[0].say(QUESTION.replace(b"q-1", id_))
            return b""
        return plain(b"", status=b"202 Accepted")

    async with raw_upstream(say, era="legacy") as up, connected(around, up.url) as connector:
        sending = asyncio.ensure_future(connector.send(able(echo())))
        await until(lambda: [asked for asked in up.of("") if asked.message])
        (request,) = up.of("tools/call")
        assert request.writer is not None
        request.writer.write(EVENTS)
        asked = asked_of(await sending)
        assert asked.parked is not None
        await asked.parked.abandon()

    assert list(asked.questions) == ["elicitation-1"]
    (refused,) = [asked.message for asked in up.of("") if asked.message]
    assert (refused["id"], refused["error"]["code"]) == ("q-2", -32603)
