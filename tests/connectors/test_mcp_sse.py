"""Upstreams over HTTP+SSE (2024-11-05) that do, and do not, as they should."""

import asyncio
from typing import Any

import pytest

from connectors import sse_session
from connectors.mcp_sse import McpSse
from mcp_gateway.core.credential import NONE, CredentialRefused
from mcp_gateway.core.errors import UpstreamFailed, UpstreamTimedOut
from mcp_gateway.wire import jsonrpc
from tests.connectors.conftest import Around
from tests.connectors.http import KEY, Asked, answer_of, echo, raw_upstream, said
from tests.connectors.sse import connected, event, sse_upstream
from tests.support.calls import Inbox
from tests.support.tcp import plain
from tests.support.waiting import until


def serves(asked: Asked) -> bytes:
    if asked.method == "tools/list":
        listed = {"tools": [{"name": "echo", "inputSchema": {"type": "object"}}]}
        return event(jsonrpc.result(asked.id, jsonrpc.encode(listed)))
    if asked.method == "tools/call":
        return event(answer_of(asked))
    return event(jsonrpc.error(asked.id, -32601, "no")) if "id" in asked.message else b""


@pytest.mark.requirement("upstreams:http-and-sse")
async def test_what_is_posted_is_answered_on_the_stream(around: Around) -> None:
    async with sse_upstream(serves) as up, connected(around, up.url) as connector:
        assert [found.name for found in await connector.discover(KEY)] == ["echo"]
        assert said(await connector.send(echo())) == "done"
        assert connector.offered.era == "legacy"
        assert connector.offered.capabilities == {"tools": b"{}"}

    methods = [asked.method for asked in up.asked]
    assert methods[:3] == ["initialize", "notifications/initialized", "tools/list"]
    assert methods[-1] == "tools/call"
    assert {asked.head["authorization"] for asked in up.asked} == {"Bearer s3cr3t-k3y"}
    assert len(up.streams) == 1


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/messages",
        "//evil.example/messages",
        "http://127.0.0.1:1/messages",
        "http://localhost/messages",
        "http://user:pass@127.0.0.1/",
        "file:///etc/passwd",
        "",
    ],
)
@pytest.mark.requirement("upstreams:http-and-sse")
async def test_an_address_of_another_origin_is_not_posted_to(around: Around, address: str) -> None:
    begins = f"event: endpoint\ndata: {address}\n\n".encode()
    async with (
        sse_upstream(serves, begins=begins) as up,
        connected(around, up.url, timeout=0.3) as connector,
    ):
        with pytest.raises((UpstreamFailed, UpstreamTimedOut)):
            await connector.send(echo())
    assert up.asked == []


@pytest.mark.parametrize(
    ("begins", "why"),
    [
        (b"data: {}\n\n", "does not begin with an address"),
        (b"event: endpoint\ndata: \xff\n\n", "decode"),
    ],
)
async def test_a_stream_that_begins_otherwise_is_none(
    around: Around, begins: bytes, why: str
) -> None:
    async with sse_upstream(serves, begins=begins) as up, connected(around, up.url) as connector:
        with pytest.raises(UpstreamFailed, match=why):
            await connector.discover(KEY)


async def test_what_answers_without_a_stream_is_none(around: Around) -> None:
    async with (
        raw_upstream(lambda _: plain(b"{}"), era="") as up,
        connected(around, up.url) as connector,
    ):
        with pytest.raises(UpstreamFailed, match="no event stream"):
            await connector.send(echo())


@pytest.mark.requirement("upstreams:http-and-sse")
async def test_a_stream_that_ends_fails_its_calls_and_the_next_one_connects_again(
    around: Around,
) -> None:
    held = True

    def say(asked: Asked) -> bytes:
        return b"" if held and asked.method == "tools/call" else serves(asked)

    async with sse_upstream(say) as up, connected(around, up.url) as connector:
        sending = asyncio.ensure_future(connector.send(echo()))
        await until(lambda: up.of("tools/call"))
        held = False
        up.streams[0].close()
        with pytest.raises(UpstreamFailed):
            await sending
        assert said(await connector.send(echo())) == "done"

    assert len(up.streams) == 2
    assert around.changed == ["up"]


async def test_a_message_that_is_not_taken_fails_its_call(around: Around) -> None:
    async with sse_upstream(serves) as up, connected(around, up.url) as connector:
        await connector.send(echo())
        up.taken = plain(b"", status=b"500 Oops")
        with pytest.raises(UpstreamFailed, match="took no message: 500"):
            await connector.send(echo())
        up.taken = plain(b"", status=b"401 Unauthorized")
        with pytest.raises(CredentialRefused):
            await connector.send(echo())
        up.taken = plain(b"", status=b"404 Not Found")
        with pytest.raises(UpstreamFailed, match="404"):
            await connector.send(echo())
        up.taken = plain(b"", status=b"202 Accepted")
        assert said(await connector.send(echo())) == "done"
    assert len(up.streams) == 2


async def test_a_stream_on_which_nobody_is_any_more_is_left(
    around: Around, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse_session, "BOUND", 0.2)
    dead = True

    def say(asked: Asked) -> bytes:
        return b"" if dead and asked.method != "initialize" else serves(asked)

    async with (
        sse_upstream(say) as up,
        connected(around, up.url, timeout=0.2) as connector,
    ):
        with pytest.raises(UpstreamTimedOut):
            await connector.send(echo())
        dead = False
        assert said(await connector.send(echo())) == "done"
    assert len(up.streams) == 2
    assert len(up.of("notifications/cancelled")) >= 1


async def test_a_slow_call_does_not_end_a_stream_on_which_somebody_is(around: Around) -> None:
    def say(asked: Asked) -> bytes:
        if asked.method == "ping":
            return event(jsonrpc.result(asked.id, b"{}"))
        return b""

    async with (
        sse_upstream(say) as up,
        connected(around, up.url, timeout=0.2) as connector,
    ):
        for _ in range(2):
            with pytest.raises(UpstreamTimedOut):
                await connector.send(echo())
    assert len(up.streams) == 1


async def test_progress_of_two_callers_with_one_token_is_each_ones_own(around: Around) -> None:
    def say(asked: Asked) -> bytes:
        if asked.method != "tools/call":
            return b""
        token = asked.message["params"]["_meta"]["progressToken"]
        params = jsonrpc.encode({"progressToken": token, "progress": token})
        note = jsonrpc.notification("notifications/progress", params)
        return event(note) + event(answer_of(asked))

    inboxes = [Inbox(), Inbox()]
    async with sse_upstream(say) as up, connected(around, up.url) as connector:
        await asyncio.gather(
            *(connector.send(echo(token="same", notify=inbox)) for inbox in inboxes)
        )

    notes = [jsonrpc.decode(raw)["params"] for inbox in inboxes for raw in inbox.messages]
    assert {note["progressToken"] for note in notes} == {"same"}
    assert len({note["progress"] for note in notes}) == 2


@pytest.mark.parametrize(
    "config",
    [{}, {"url": "ftp://x/"}, {"url": "http://x/", "timeout": 0}, {"url": "http://x/", "a": 1}],
)
def test_a_configuration_that_cannot_be_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        McpSse.Config.model_validate(config)


async def test_opening_waits_for_nobody_and_asks_nobody(around: Around) -> None:
    async with sse_upstream(serves) as up, connected(around, up.url):
        assert up.streams == []


async def test_a_list_that_changed_is_looked_at(around: Around) -> None:
    async with sse_upstream(serves) as up, connected(around, up.url) as connector:
        await connector.discover(NONE)
        up.say(jsonrpc.notification("notifications/tools/list_changed", b"{}"))
        await until(lambda: around.changed)
    assert around.changed[0] == "up"
