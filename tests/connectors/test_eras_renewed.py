"""Upstreams that lose a session, or speak something else than they did."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mcp_gateway.core.credential import NONE
from mcp_gateway.core.errors import UpstreamFailed
from tests.connectors.conftest import Around
from tests.connectors.http import (
    HELLO,
    KEY,
    Asked,
    connected,
    discovered,
    echo,
    error,
    initialized,
    raw_upstream,
    result,
    said,
    text,
)
from tests.support.sdk_upstream import serving
from tests.support.tcp import plain

LOST = [
    lambda _: plain(b"", status=b"404 Not Found"),
    lambda a: error(a, -32600, b"404 Not Found", "Session not found"),
    lambda a: error(a, -32000, b"400 Bad Request", "Bad Request: No valid session ID provided"),
]


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.requirement("upstreams:lost-sessions-are-renewed")
async def test_a_lost_session_is_begun_anew_and_the_call_sent_once_more(
    around: Around, lost: Any
) -> None:
    sessions = iter(["s-1", "s-2"])

    def say(asked: Asked) -> bytes:
        if asked.method == "server/discover":
            return plain(b"", status=b"404 Not Found")
        if asked.method == "initialize":
            return initialized(asked, session=next(sessions))
        if asked.method.startswith("notifications/"):
            return plain(b"", status=b"202 Accepted")
        if asked.head["mcp-session-id"] == "s-1":
            return bytes(lost(asked))
        return text(asked, HELLO)

    async with (
        raw_upstream(say, era="") as upstream,
        connected(around, upstream.url) as connector,
    ):
        answer = await connector.send(echo())

    assert said(answer) == HELLO
    assert [a.head["mcp-session-id"] for a in upstream.of("tools/call")] == ["s-1", "s-2"]
    assert around.changed == ["up"]


@pytest.mark.requirement("upstreams:lost-sessions-are-renewed")
async def test_a_session_that_is_lost_again_and_again_is_not_renewed_for_ever(
    around: Around,
) -> None:
    names = iter(range(100))

    def say(asked: Asked) -> bytes:
        if asked.method == "initialize":
            return initialized(asked, session=f"s-{next(names)}")
        if asked.method.startswith("notifications/"):
            return plain(b"", status=b"202 Accepted")
        return plain(b"", status=b"404 Not Found")

    async with (
        raw_upstream(say, era="") as upstream,
        connected(around, upstream.url) as connector,
    ):
        with pytest.raises(UpstreamFailed, match="answered 404"):
            await connector.send(echo())

    assert len(upstream.of("tools/call")) == 2


async def test_many_calls_that_lose_one_session_begin_few_new_ones(around: Around) -> None:
    sessions = iter(f"s-{n}" for n in range(100))
    dead: set[str] = {"s-0"}

    def say(asked: Asked) -> bytes:
        if asked.method == "server/discover":
            return plain(b"", status=b"404 Not Found")
        if asked.method == "initialize":
            return initialized(asked, session=next(sessions))
        if asked.method.startswith("notifications/"):
            return plain(b"", status=b"202 Accepted")
        if asked.head["mcp-session-id"] in dead:
            return plain(b"", status=b"404 Not Found")
        return text(asked, HELLO)

    async with (
        raw_upstream(say, era="") as upstream,
        connected(around, upstream.url) as connector,
    ):
        answers = await asyncio.gather(*(connector.send(echo()) for _ in range(20)))

    assert len(answers) == 20
    assert len(upstream.of("initialize")) == 2


@pytest.mark.requirement("upstreams:lost-sessions-are-renewed")
async def test_a_session_that_is_lost_during_discovery_is_begun_anew(around: Around) -> None:
    sessions = iter(["s-1", "s-2"])

    def say(asked: Asked) -> bytes:
        if asked.method == "server/discover":
            return plain(b"", status=b"404 Not Found")
        if asked.method == "initialize":
            return initialized(asked, session=next(sessions))
        if asked.method.startswith("notifications/"):
            return plain(b"", status=b"202 Accepted")
        if asked.head["mcp-session-id"] == "s-1":
            return plain(b"", status=b"404 Not Found")
        return result(asked, {"tools": [{"name": "a", "inputSchema": {"type": "object"}}]})

    async with (
        raw_upstream(say, era="") as upstream,
        connected(around, upstream.url) as connector,
    ):
        assert [d.name for d in await connector.discover(NONE)] == ["a"]


@pytest.mark.parametrize("code", [-32602, -32601, -32020, -32021, -32700])
async def test_an_error_of_a_modern_upstream_is_its_answer_and_not_a_sign_of_another_era(
    around: Around, code: int
) -> None:
    async with (
        raw_upstream(lambda a: error(a, code, b"400 Bad Request")) as upstream,
        connected(around, upstream.url) as connector,
    ):
        answer = await connector.send(echo())

    assert answer.failed
    assert answer.view()["code"] == code
    assert len(upstream.of("tools/call")) == len(upstream.of("server/discover")) == 1


async def test_a_modern_upstream_that_is_still_modern_is_not_asked_again(around: Around) -> None:
    async with (
        raw_upstream(lambda _: plain(b"a proxy says no", status=b"400 Bad Request")) as upstream,
        connected(around, upstream.url) as connector,
    ):
        with pytest.raises(UpstreamFailed, match="answered 400"):
            await connector.send(echo())

    assert len(upstream.of("tools/call")) == 1
    assert len(upstream.of("server/discover")) == 2


@pytest.mark.parametrize(("before", "after"), [("modern", "legacy"), ("legacy", "modern")])
@pytest.mark.requirement("upstreams:either-era")
async def test_an_upstream_that_comes_back_in_the_other_era_is_called_on(
    around: Around, tmp_path: Path, before: Any, after: Any
) -> None:
    notes = tmp_path / "notes"
    async with serving(notes, only=before) as upstream:
        connector_at = connected(around, upstream.url)
        connector = await connector_at.__aenter__()
        first = await connector.send(echo())
        port = int(upstream.url.rpartition(":")[2].partition("/")[0])
    async with serving(notes, only=after, port=port):
        second = await connector.send(echo())
        found = await connector.discover(NONE)
    await connector_at.__aexit__(None, None, None)

    assert said(first) == said(second) == HELLO
    assert "echo" in {definition.name for definition in found}


@pytest.mark.parametrize(("before", "after"), [("modern", "legacy"), ("legacy", "modern")])
async def test_an_upstream_that_changes_without_having_been_away_is_called_on(
    around: Around, before: Any, after: Any
) -> None:
    era = before

    def say(asked: Asked) -> bytes:
        modern = asked.head.get("mcp-protocol-version") == "2026-07-28"
        if modern and era == "legacy":
            return plain(b"Unsupported protocol version", status=b"400 Bad Request")
        if not modern and era == "modern":
            return error(asked, -32022, b"400 Bad Request")
        if asked.method == "server/discover":
            return discovered(asked)
        if asked.method == "initialize":
            return initialized(asked)
        if asked.method.startswith("notifications/"):
            return plain(b"", status=b"202 Accepted")
        return text(asked, HELLO)

    async with (
        raw_upstream(say, era="") as upstream,
        connected(around, upstream.url) as connector,
    ):
        await connector.send(echo())
        era = after
        answer = await connector.send(echo(KEY))

    assert said(answer) == HELLO
