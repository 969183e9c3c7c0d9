"""What is said beside an answer: notifications, questions, progress and cancellation."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from connectors import endpoint
from mcp_gateway.core.body import Body
from mcp_gateway.core.errors import (
    Forbidden,
)
from mcp_gateway.core.target import Target
from mcp_gateway.wire import jsonrpc
from tests.connectors.conftest import Around
from tests.connectors.http import (
    ERAS,
    EVENTS,
    Asked,
    answer_of,
    connected,
    echo,
    events,
    raw_upstream,
    said,
    text,
)
from tests.support.calls import Inbox
from tests.support.sdk_upstream import Era, serving
from tests.support.tcp import plain
from tests.support.waiting import until


async def test_answers_that_come_in_a_stream_are_found_among_the_rest(around: Around) -> None:
    inbox = Inbox()

    def say(asked: Asked) -> bytes:
        return events(
            b"",
            b'{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info"}}',
            b'{"jsonrpc":"2.0","id":999,"result":{}}',
            b'{"jsonrpc":"2.0","id":"q","method":"sampling/createMessage","params":{}}',
            answer_of(asked, "found"),
            answer_of(asked, "found again"),
        )

    async with (
        raw_upstream(say) as upstream,
        connected(around, upstream.url) as connector,
    ):
        answer = await connector.send(echo(notify=inbox, level="info"))

    assert said(answer) == "found"
    assert [jsonrpc.decode(raw)["params"] for raw in inbox.messages] == [{"level": "info"}]
    assert len(upstream.of("tools/call")) == 1
    assert upstream.of("") == []  # 2026-07-28 knows no requests of a server's


async def test_what_a_legacy_upstream_asks_is_answered_with_the_credential_of_the_call(
    around: Around,
) -> None:
    def say(asked: Asked) -> bytes:
        if asked.method == "tools/call":
            return events(
                b'{"jsonrpc":"2.0","id":"p","method":"ping"}',
                b'{"jsonrpc":"2.0","id":7,"method":"roots/list"}',
                answer_of(asked),
            )
        return plain(b"", status=b"202 Accepted")

    async with (
        raw_upstream(say, era="legacy") as upstream,
        connected(around, upstream.url) as connector,
    ):
        assert said(await connector.send(echo())) == "done"

    pong, refusal = upstream.of("")
    assert pong.message == {"jsonrpc": "2.0", "id": "p", "result": {}}
    assert (refusal.message["id"], refusal.message["error"]["code"]) == (7, -32601)
    for asked in (pong, refusal):
        assert asked.head["authorization"] == "Bearer s3cr3t-k3y"
        assert asked.head["mcp-session-id"] == "s-1"


async def test_a_reply_that_is_not_taken_does_not_cost_the_call(around: Around) -> None:
    def say(asked: Asked) -> bytes:
        if asked.method == "tools/call":
            return events(b'{"jsonrpc":"2.0","id":"p","method":"ping"}', answer_of(asked))
        return plain(b"", status=b"401 Unauthorized")

    async with (
        raw_upstream(say, era="legacy") as upstream,
        connected(around, upstream.url) as connector,
    ):
        assert said(await connector.send(echo())) == "done"


async def test_a_notification_that_may_not_be_released_ends_the_call_and_the_stream(
    around: Around,
) -> None:
    async def gate(message: Body) -> None:
        raise Forbidden("owed before the answer")

    def say(asked: Asked) -> bytes:
        note = b'{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info"}}'
        return EVENTS + b"data: %b\n\n" % note

    async with (
        raw_upstream(say) as upstream,
        connected(around, upstream.url) as connector,
    ):
        with pytest.raises(Forbidden):
            await connector.send(echo(notify=gate, level="info"))


@pytest.mark.requirement("edge:progress-passes")
async def test_callers_of_one_session_with_the_same_token_hear_of_their_own_calls(
    around: Around,
) -> None:
    def say(asked: Asked) -> bytes:
        token = asked.message["params"]["_meta"]["progressToken"]
        notes = [
            jsonrpc.notification(
                "notifications/progress", jsonrpc.encode({"progressToken": t, "progress": n})
            )
            for n, t in enumerate((token, "same", 999, None))
        ]
        return events(*notes, answer_of(asked))

    inboxes = [Inbox(), Inbox()]
    async with (
        raw_upstream(say, era="legacy") as upstream,
        connected(around, upstream.url) as connector,
    ):
        await asyncio.gather(
            *(connector.send(echo(token="same", notify=inbox)) for inbox in inboxes)
        )

    tokens = {a.message["params"]["_meta"]["progressToken"] for a in upstream.of("tools/call")}
    assert len(tokens) == 2
    assert "same" not in tokens
    for inbox in inboxes:
        (note,) = [jsonrpc.decode(raw)["params"] for raw in inbox.messages]
        assert note == {"progressToken": "same", "progress": 0}


async def test_a_token_passes_unchanged_where_each_request_stands_alone(around: Around) -> None:
    async with (
        raw_upstream(lambda asked: text(asked, "done")) as upstream,
        connected(around, upstream.url) as connector,
    ):
        await connector.send(echo(token="mine"))

    assert upstream.of("tools/call")[0].message["params"]["_meta"]["progressToken"] == "mine"


async def test_a_caller_who_asked_for_none_hears_of_no_progress(around: Around) -> None:
    inbox = Inbox()

    def say(asked: Asked) -> bytes:
        params = b'{"progressToken":%b,"progress":1}' % asked.id
        return events(jsonrpc.notification("notifications/progress", params), answer_of(asked))

    async with (
        raw_upstream(say, era="legacy") as upstream,
        connected(around, upstream.url) as connector,
    ):
        await connector.send(echo(notify=inbox))

    assert inbox.messages == []


@ERAS
@pytest.mark.requirement("upstreams:cancellation-is-passed-on")
async def test_a_cancelled_call_is_cancelled_at_the_upstream(around: Around, era: Any) -> None:
    def say(asked: Asked) -> bytes:
        return b"" if asked.method == "tools/call" else plain(b"", status=b"202 Accepted")

    async with (
        raw_upstream(say, era=era) as upstream,
        connected(around, upstream.url) as connector,
    ):
        sending = asyncio.ensure_future(connector.send(echo()))
        await until(lambda: upstream.of("tools/call"))
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await until(lambda: upstream.left)

    notes = upstream.of("notifications/cancelled")
    if era == "modern":
        assert notes == []
    else:
        asked = upstream.of("tools/call")[0]
        assert [note.message["params"] for note in notes] == [{"requestId": asked.message["id"]}]
        assert notes[0].head["mcp-session-id"] == "s-1"
        assert notes[0].head["authorization"] == "Bearer s3cr3t-k3y"


@pytest.mark.requirement("upstreams:cancellation-is-passed-on")
async def test_the_end_of_a_caller_in_the_middle_of_a_stream_ends_the_stream(
    around: Around,
) -> None:
    inbox = Inbox()

    def say(_: Asked) -> bytes:
        note = b'{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info"}}'
        return EVENTS + b"data: %b\n\n" % note

    async with raw_upstream(say) as upstream, connected(around, upstream.url) as connector:
        sending = asyncio.ensure_future(connector.send(echo(notify=inbox, level="info")))
        await until(lambda: inbox.messages)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending


async def test_an_upstream_that_takes_no_cancellation_is_not_waited_for(
    around: Around, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "BOUND", 0.1)
    async with (
        raw_upstream(lambda _: b"", era="legacy") as upstream,
        connected(around, upstream.url) as connector,
    ):
        sending = asyncio.ensure_future(connector.send(echo()))
        await until(lambda: upstream.of("tools/call"))
        sending.cancel()
        async with asyncio.timeout(2):
            with pytest.raises(asyncio.CancelledError):
                await sending


async def test_progress_of_the_official_server_passes_in_both_eras(
    around: Around, tmp_path: Path
) -> None:
    eras: tuple[Era, ...] = ("modern", "legacy")
    for era in eras:
        inbox = Inbox()
        async with (
            serving(tmp_path / "notes", only=era) as upstream,
            connected(around, upstream.url) as connector,
        ):
            made = echo(token="t", notify=inbox)
            made.target = Target("tool", "up", "count")
            made.outgoing = jsonrpc.body(
                b'{"name":"up__count","arguments":{"steps":3},"_meta":{"progressToken":"t"}}'
            )
            await connector.send(made)
        seen = [jsonrpc.decode(raw)["params"] for raw in inbox.messages]
        assert [(p["progressToken"], p["progress"]) for p in seen] == [("t", 1), ("t", 2), ("t", 3)]
