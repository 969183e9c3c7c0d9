"""Sessions with an upstream of the initialize era: whose they are, and what is said in them."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mcp_gateway.core.asking import Declared
from mcp_gateway.core.call import Call
from mcp_gateway.core.credential import Credential
from mcp_gateway.core.target import Target
from mcp_gateway.wire import jsonrpc
from tests.connectors.answering import able
from tests.connectors.conftest import Around
from tests.connectors.http import (
    EVENTS,
    KEY,
    Asked,
    answer_of,
    connected,
    echo,
    error,
    events,
    initialized,
    raw_upstream,
    result,
    said,
    text,
)
from tests.support.calls import Inbox
from tests.support.sdk_upstream import Era, serving
from tests.support.tcp import plain
from tests.support.waiting import until

OTHER = Credential("static:other", (("authorization", "Bearer another"),))
NO_STREAM = plain(b"", status=b"405 Method Not Allowed")


def serves(*, capabilities: Any = None, answer: Any = None) -> Any:
    """A server of the initialize era whose sessions are numbered."""
    names = iter(range(10_000))

    def say(asked: Asked) -> bytes:
        if asked.verb == "GET":
            return NO_STREAM
        if asked.method == "server/discover":
            return plain(b"no", status=b"400 Bad Request")
        if asked.method == "initialize":
            content = {"protocolVersion": "2025-11-25", "capabilities": capabilities or {}}
            return result(asked, content, b"mcp-session-id: s-%d" % next(names))
        if asked.method.startswith("notifications/") or not asked.method:
            return plain(b"", status=b"202 Accepted")
        return bytes(answer(asked)) if answer else text(asked, asked.head["mcp-session-id"])

    return say


@pytest.mark.requirement("sessions:by-credential-and-capabilities")
async def test_a_session_is_shared_by_who_shows_and_can_answer_the_same_and_nobody_else(
    around: Around,
) -> None:
    form: dict[str, Any] = {"elicitation": {}}
    async with (
        raw_upstream(serves(), era="") as upstream,
        connected(around, upstream.url) as connector,
    ):
        calls = [
            echo(KEY),
            echo(KEY),
            echo(OTHER),
            able(echo(KEY), form),
            able(echo(KEY), {"elicitation": {"form": {}}, "experimental": {"x": 1}}),
            able(echo(KEY), {"elicitation": {"form": {}, "url": {}}}),
            able(echo(OTHER), form),
        ]
        named = [said(await connector.send(made)) for made in calls]

    assert named == ["s-0", "s-0", "s-1", "s-2", "s-2", "s-3", "s-4"]
    declared = [asked.message["params"]["capabilities"] for asked in upstream.of("initialize")]
    assert declared == [
        {},
        {},
        {"elicitation": {"form": {}}},
        {"elicitation": {"form": {}, "url": {}}},
        {"elicitation": {"form": {}}},
    ]
    for asked in upstream.of("tools/call"):
        mine = asked.head["mcp-session-id"] in ("s-1", "s-4")
        assert asked.head["authorization"] == f"Bearer {'another' if mine else 's3cr3t-k3y'}"


async def test_what_the_session_of_an_older_client_said_counts_like_what_a_request_says(
    around: Around,
) -> None:
    async with (
        raw_upstream(serves(), era="") as upstream,
        connected(around, upstream.url) as connector,
    ):
        await connector.send(echo(declared=Declared(b'{"roots":{"listChanged":true}}')))

    assert upstream.of("initialize")[0].message["params"]["capabilities"] == {"roots": {}}


@pytest.mark.requirement("sessions:ended-at-the-upstream")
async def test_every_session_is_ended_at_the_upstream_when_the_connector_is_closed(
    around: Around,
) -> None:
    async with raw_upstream(serves(), era="") as upstream:
        async with connected(around, upstream.url) as connector:
            await connector.send(echo())
            await connector.send(able(echo()))
        assert sorted(upstream.ended) == ["s-0", "s-1"]


@pytest.mark.requirement("sessions:bounded")
async def test_of_too_many_sessions_the_one_longest_unused_is_ended(around: Around) -> None:
    async with (
        raw_upstream(serves(), era="") as upstream,
        connected(around, upstream.url, sessions=2) as connector,
    ):
        for name in ("a", "b", "a", "c"):
            await connector.send(echo(Credential(name)))
        await until(lambda: upstream.ended)

        assert upstream.ended == ["s-1"]
        assert said(await connector.send(echo(Credential("a")))) == "s-0"


@pytest.mark.requirement("upstreams:lost-sessions-are-renewed")
async def test_who_loses_a_session_takes_nobody_elses_along(around: Around) -> None:
    lost: set[str] = set()

    def answer(asked: Asked) -> bytes:
        named = asked.head["mcp-session-id"]
        return plain(b"", status=b"404 Not Found") if named in lost else text(asked, named)

    async with (
        raw_upstream(serves(answer=answer), era="") as upstream,
        connected(around, upstream.url) as connector,
    ):
        for credential in (KEY, OTHER):
            await connector.send(echo(credential))
        lost.add("s-0")

        assert said(await connector.send(echo(KEY))) == "s-2"
        assert said(await connector.send(echo(OTHER))) == "s-1"
    assert "s-0" not in upstream.ended


LOGS = [
    jsonrpc.notification("notifications/message", jsonrpc.encode({"level": level, "data": level}))
    for level in ("debug", "info", "error", "nonsense")
]


def logging(asked: Asked) -> bytes:
    return events(*LOGS, answer_of(asked)) if asked.method == "tools/call" else result(asked, {})


@pytest.mark.parametrize("era", ["modern", "legacy"])
@pytest.mark.requirement("upstreams:logs-are-opted-in")
async def test_no_log_message_reaches_a_caller_who_did_not_ask_for_it(
    around: Around, era: Any
) -> None:
    async with raw_upstream(logging, era=era) as upstream, connected(around, upstream.url) as conn:
        heard = {}
        for level in ("", "error", "info", "debug", "nonsense"):
            inbox = Inbox()
            fields: dict[str, Any] = {"level": level} if level else {}
            await conn.send(echo(notify=inbox, **fields))
            heard[level] = [jsonrpc.decode(raw)["params"]["data"] for raw in inbox.messages]

    assert heard == {
        "": [],
        "error": ["error"],
        "info": ["info", "error"],
        "debug": ["debug", "info", "error"],
        "nonsense": [],
    }


@pytest.mark.requirement("upstreams:logs-are-opted-in")
async def test_a_session_is_set_to_the_least_level_that_anybody_ever_wanted(
    around: Around,
) -> None:
    inbox = Inbox()
    say = serves(capabilities={"logging": {}}, answer=logging)
    async with raw_upstream(say, era="") as upstream, connected(around, upstream.url) as connector:
        await connector.send(echo())
        await connector.send(echo(level="error"))
        await connector.send(echo(level="warning"))
        await connector.send(echo(level="emergency"))
        await connector.send(echo(notify=inbox, declared=Declared(level="info")))

    levels = [asked.message["params"]["level"] for asked in upstream.of("logging/setLevel")]
    assert levels == ["error", "warning", "info"]
    assert [jsonrpc.decode(raw)["params"]["data"] for raw in inbox.messages] == ["info", "error"]


async def test_an_upstream_that_takes_no_level_is_called_all_the_same(around: Around) -> None:
    def answer(asked: Asked) -> bytes:
        if asked.method == "logging/setLevel":
            return error(asked, -32601, b"404 Not Found")
        return text(asked, "done")

    say = serves(capabilities={"logging": {}}, answer=answer)
    async with raw_upstream(say, era="") as upstream, connected(around, upstream.url) as connector:
        for _ in range(2):
            assert said(await connector.send(echo(level="debug"))) == "done"

    assert len(upstream.of("logging/setLevel")) == 1


@pytest.mark.parametrize("era", ["modern", "legacy"])
@pytest.mark.requirement("upstreams:logs-are-opted-in")
async def test_the_official_server_logs_to_who_asked_for_it(
    around: Around, tmp_path: Path, era: Era
) -> None:
    async with (
        serving(tmp_path / "notes", only=era) as upstream,
        connected(around, upstream.url) as connector,
    ):
        wanted, silent = Inbox(), Inbox()
        await connector.send(log(wanted, level="info"))
        await connector.send(log(silent))

    heard = [jsonrpc.decode(raw)["params"]["level"] for raw in wanted.messages]
    assert heard == ["info", "error"]
    assert silent.messages == []
    assert ("level info" in (tmp_path / "notes").read_text().splitlines()) is (era == "legacy")


def log(inbox: Inbox, **fields: Any) -> Call:
    arguments = {"levels": ["debug", "info", "error"]}
    more = {"name": "up__log", "arguments": arguments}
    made: Call = echo(target=Target("tool", "up", "log"), more=more, notify=inbox, **fields)
    return made


@pytest.mark.requirement("upstreams:changes-are-noticed")
async def test_a_list_that_changed_is_looked_at_and_is_no_message_to_the_caller(
    around: Around,
) -> None:
    inbox = Inbox()

    def say(asked: Asked) -> bytes:
        notes = [
            jsonrpc.notification(method, b"{}")
            for method in (
                "notifications/tools/list_changed",
                "notifications/resources/updated",
                "notifications/elicitation/complete",
                "notifications/com.example/own",
            )
        ]
        return events(*notes, answer_of(asked))

    async with raw_upstream(say, era="legacy") as upstream, connected(around, upstream.url) as conn:
        await conn.send(echo(notify=inbox))

    assert around.changed == ["up"]
    assert [jsonrpc.decode(raw)["method"] for raw in inbox.messages] == [
        "notifications/com.example/own"
    ]


async def test_a_caller_who_leaves_before_the_answer_begins_is_gone_from_the_session(
    around: Around,
) -> None:
    def say(asked: Asked) -> bytes:
        return b"" if asked.method == "tools/call" else plain(b"", status=b"202 Accepted")

    async with raw_upstream(say, era="legacy") as upstream, connected(around, upstream.url) as conn:
        sending = asyncio.ensure_future(conn.send(echo()))
        await until(lambda: upstream.of("tools/call"))
        (session,) = conn._sessions._open.values()
        assert session.busy
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending

        assert not session.busy


async def test_a_question_of_an_upstream_that_answers_in_one_piece_is_refused(
    around: Around,
) -> None:
    """There is no stream on which the call could go on."""
    beside: list[Asked] = []

    def say(asked: Asked) -> bytes:
        if asked.verb == "GET":
            beside.append(asked)
            return EVENTS
        if asked.method == "tools/call":
            beside[0].say(b'{"jsonrpc":"2.0","id":7,"method":"roots/list"}')
            return b""
        if asked.method == "initialize":
            return initialized(asked, session="s-1")
        return plain(b"", status=b"202 Accepted")

    async with raw_upstream(say, era="legacy") as upstream, connected(around, upstream.url) as conn:
        sending = asyncio.ensure_future(conn.send(able(echo())))
        await until(lambda: upstream.of("tools/call"))
        (request,) = upstream.of("tools/call")
        assert request.writer is not None
        request.writer.write(text(request, "done"))
        assert said(await sending) == "done"
        await until(lambda: [a for a in upstream.of("") if a.message])

    (reply,) = [a for a in upstream.of("") if a.message]
    assert (reply.message["id"], reply.message["error"]["code"]) == (7, -32603)
