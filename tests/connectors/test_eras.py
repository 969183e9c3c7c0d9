"""Finding out what an upstream speaks, and noticing that it speaks something else."""

import asyncio
from typing import Any

import pytest

from connectors import eras
from mcp_gateway.core.credential import CredentialRefused
from mcp_gateway.core.errors import UpstreamFailed, UpstreamTimedOut
from mcp_gateway.wire import jsonrpc
from tests.connectors.conftest import Around
from tests.connectors.http import (
    HELLO,
    JSON,
    Asked,
    connected,
    discovered,
    echo,
    error,
    events,
    initialized,
    raw_upstream,
    result,
    said,
    text,
)
from tests.support.tcp import plain
from tests.support.waiting import until


def legacy_but(probe: Any) -> Any:
    """A server of the initialize era that answers the probe in its own way."""

    def say(asked: Asked) -> bytes:
        if asked.method == "server/discover":
            return bytes(probe(asked))
        if asked.method == "initialize":
            return initialized(asked, session="s-1")
        if asked.method.startswith("notifications/"):
            return plain(b"", status=b"202 Accepted")
        return text(asked, HELLO)

    return say


@pytest.mark.parametrize(
    "probe",
    [
        lambda _: plain(b"", status=b"400 Bad Request"),
        lambda _: plain(b"Bad Request: Unsupported protocol version", status=b"400 Bad Request"),
        lambda _: plain(b"<html>", b"content-type: text/html", status=b"404 Not Found"),
        lambda _: plain(b"", status=b"405 Method Not Allowed"),
        lambda _: plain(b"oops", status=b"500 Internal Server Error"),
        lambda asked: error(asked, -32601),
        lambda asked: error(asked, -32601, b"404 Not Found"),
        lambda asked: error(asked, -32600, b"400 Bad Request"),
        lambda asked: error(asked, -32000, b"400 Bad Request"),
        lambda asked: error(asked, -32022, b"400 Bad Request"),
        lambda asked: turned_down(asked, ["2025-11-25", "2024-11-05"]),
        lambda asked: turned_down(asked, "2026-07-28"),
        lambda asked: result(asked, {}),
        lambda asked: result(asked, {"supportedVersions": ["2025-11-25"]}),
        lambda asked: result(asked, {"supportedVersions": "2026-07-28"}),
        lambda a: plain(b'{"jsonrpc":"2.0","id":%b,"result":{"a":1e999}}' % a.id, JSON),
        lambda a: plain(b'{"jsonrpc":"2.0","id":%b,"error":[]}' % a.id, JSON, status=b"400 No"),
        lambda asked: events(jsonrpc.error(asked.id, -32601, "no such method")),
        lambda _: plain(
            b'{"jsonrpc":"2.0","id":"server-error","error":{"code":-32600,"message":"x"}}',
            JSON,
            status=b"400 Bad Request",
        ),
    ],
)
@pytest.mark.requirement("upstreams:either-era")
async def test_whoever_does_not_know_2026_07_28_is_of_the_initialize_era(
    around: Around, probe: Any
) -> None:
    async with (
        raw_upstream(legacy_but(probe), era="") as upstream,
        connected(around, upstream.url) as connector,
    ):
        answer = await connector.send(echo())

    assert said(answer) == HELLO
    methods = [asked.method for asked in upstream.asked]
    assert methods == ["server/discover", "initialize", "notifications/initialized", "tools/call"]
    for asked in upstream.asked[2:]:
        assert asked.head["mcp-session-id"] == "s-1"
        assert asked.head["mcp-protocol-version"] == "2025-11-25"
    assert all(a.head["authorization"] == "Bearer s3cr3t-k3y" for a in upstream.asked)


@pytest.mark.requirement("upstreams:either-era")
async def test_a_modern_upstream_is_sent_what_2026_07_28_asks_for(around: Around) -> None:
    async with (
        raw_upstream(lambda asked: text(asked, HELLO)) as upstream,
        connected(around, upstream.url) as connector,
    ):
        answer = await connector.send(echo())

    asked = upstream.of("tools/call")[0]
    assert said(answer) == HELLO
    assert asked.head["accept"] == "application/json, text/event-stream"
    assert asked.head["mcp-protocol-version"] == "2026-07-28"
    assert (asked.head["mcp-method"], asked.head["mcp-name"]) == ("tools/call", "echo")
    assert asked.message["params"]["_meta"]["io.modelcontextprotocol/clientInfo"]["name"] == (
        "mcp-gateway"
    )
    assert "mcp-session-id" not in asked.head


def turned_down(asked: Asked, supported: Any) -> bytes:
    data = {"supported": supported, "requested": "2026-07-28"}
    return plain(
        jsonrpc.error(asked.id, -32022, "Unsupported protocol version", data),
        JSON,
        status=b"400 Bad Request",
    )


@pytest.mark.requirement("upstreams:either-era")
async def test_a_version_that_was_turned_down_is_tried_again_where_it_is_said_to_be_spoken(
    around: Around,
) -> None:
    def say(asked: Asked) -> bytes:
        if len(upstream.asked) == 1:
            return turned_down(asked, ["2026-07-28"])
        return discovered(asked) if asked.method == "server/discover" else text(asked, HELLO)

    async with (
        raw_upstream(say, era="") as upstream,
        connected(around, upstream.url) as connector,
    ):
        assert said(await connector.send(echo())) == HELLO

    assert [asked.method for asked in upstream.asked] == ["server/discover"] * 2 + ["tools/call"]


async def test_a_server_that_turns_down_what_it_says_it_speaks_is_not_asked_for_ever(
    around: Around,
) -> None:
    async with (
        raw_upstream(lambda asked: turned_down(asked, ["2026-07-28"]), era="") as upstream,
        connected(around, upstream.url) as connector,
    ):
        with pytest.raises(UpstreamFailed, match="does not take part: the error -32022"):
            await connector.send(echo())

    assert len(upstream.asked) == 3


async def test_a_server_that_speaks_only_what_is_not_known_here_is_told(around: Around) -> None:
    async with (
        raw_upstream(lambda asked: turned_down(asked, ["2031-01-01", 7]), era="") as upstream,
        connected(around, upstream.url) as connector,
    ):
        with pytest.raises(UpstreamFailed, match="speaks no revision that is known here"):
            await connector.send(echo())

    assert len(upstream.asked) == 1


@pytest.mark.parametrize("code", [-32020, -32021])
async def test_a_modern_upstream_that_turns_the_gateway_away_is_told(
    around: Around, code: int
) -> None:
    async with (
        raw_upstream(
            lambda a: error(a, code, b"400 Bad Request", "go\x1b away"), era=""
        ) as upstream,
        connected(around, upstream.url) as connector,
    ):
        with pytest.raises(
            UpstreamFailed, match=rf"turns the gateway away: the error {code}: go a"
        ):
            await connector.send(echo())
    assert len(upstream.asked) == 1


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda a: initialized(a, revision="1999-01-01"), "not known here"),
        (lambda a: initialized(a, revision=["2025-11-25"]), "not known here"),
        (lambda a: initialized(a, revision=None), "not known here"),
        (
            lambda a: error(a, -32000, message="no room"),
            "does not take part: the error -32000: no room",
        ),
        (lambda a: result(a, 7), "no result and no error"),
        (
            lambda _: plain(b"what?", status=b"400 Bad Request"),
            "answered 400 and no JSON-RPC message",
        ),
        (lambda _: plain(b"<html>", status=b"503 Away"), "answered 503 and no JSON-RPC message"),
        (lambda a: initialized(a, session="x" * 2000), "as no session can be named"),
        (lambda a: initialized(a, session="two words"), "as no session can be named"),
        (lambda _: plain(b'{"jsonrpc":"2.0","id":77,"result":{}}', JSON), "another request"),
    ],
)
async def test_an_initialization_that_comes_to_nothing_is_told_and_tried_again(
    around: Around, answer: Any, why: str
) -> None:
    broken = True

    def say(asked: Asked) -> bytes:
        if asked.method == "initialize" and broken:
            return bytes(answer(asked))
        return bytes(legacy_but(lambda _: plain(b"", status=b"404 Not Found"))(asked))

    async with (
        raw_upstream(say, era="") as upstream,
        connected(around, upstream.url) as connector,
    ):
        with pytest.raises(UpstreamFailed, match=why):
            await connector.send(echo())
        broken = False
        assert said(await connector.send(echo())) == HELLO


async def test_an_upstream_without_sessions_is_not_sent_any(around: Around) -> None:
    async with (
        raw_upstream(lambda a: text(a, HELLO), era="legacy", session="") as upstream,
        connected(around, upstream.url) as connector,
    ):
        await connector.send(echo())
        await connector.send(echo())

    assert all("mcp-session-id" not in asked.head for asked in upstream.asked)
    assert len(upstream.of("initialize")) == 1


@pytest.mark.requirement("upstreams:found-out-once")
async def test_a_refused_credential_at_the_start_does_not_settle_the_era(around: Around) -> None:
    refuse = True

    def probe(asked: Asked) -> bytes:
        status = b"401 Unauthorized" if refuse else b"404 Not Found"
        return plain(b"", status=status)

    async with (
        raw_upstream(legacy_but(probe), era="") as upstream,
        connected(around, upstream.url) as connector,
    ):
        with pytest.raises(CredentialRefused):
            await connector.send(echo())
        refuse = False
        assert said(await connector.send(echo())) == HELLO

    assert upstream.asked[-1].head["mcp-protocol-version"] == "2025-11-25"


@pytest.mark.requirement("upstreams:found-out-once")
async def test_silence_at_the_start_does_not_settle_the_era(around: Around) -> None:
    silent = True

    def probe(asked: Asked) -> bytes:
        return b"" if silent else plain(b"", status=b"404 Not Found")

    async with (
        raw_upstream(legacy_but(probe), era="") as upstream,
        connected(around, upstream.url, timeout=0.2) as connector,
    ):
        with pytest.raises(UpstreamTimedOut):
            await connector.send(echo())
        silent = False
        assert said(await connector.send(echo())) == HELLO


@pytest.mark.requirement("upstreams:found-out-once")
async def test_of_many_first_calls_none_is_sent_before_it_is_known_what_is_spoken(
    around: Around,
) -> None:
    async with (
        raw_upstream(lambda a: text(a, HELLO), era="legacy") as upstream,
        connected(around, upstream.url) as connector,
    ):
        answers = await asyncio.gather(*(connector.send(echo()) for _ in range(20)))

    assert [said(answer) for answer in answers] == [HELLO] * 20
    assert len(upstream.of("server/discover")) == len(upstream.of("initialize")) == 1
    calls = upstream.of("tools/call")
    assert {asked.head["mcp-session-id"] for asked in calls} == {"s-1"}


async def test_a_start_that_fails_fails_for_all_who_wait_for_it(around: Around) -> None:
    async with (
        raw_upstream(lambda _: b"", era="") as upstream,
        connected(around, upstream.url, timeout=0.3) as connector,
    ):
        failures = await asyncio.wait_for(
            asyncio.gather(*(connector.send(echo()) for _ in range(5)), return_exceptions=True), 2
        )

    assert all(isinstance(failure, UpstreamTimedOut) for failure in failures)
    assert len(upstream.asked) == 1


async def test_a_caller_who_leaves_takes_the_start_from_nobody(around: Around) -> None:
    go_on = asyncio.Event()

    def say(asked: Asked) -> bytes:
        return text(asked, HELLO)

    async with (
        raw_upstream(say) as upstream,
        connected(around, upstream.url) as connector,
    ):
        first = asyncio.ensure_future(connector.send(echo()))
        second = asyncio.ensure_future(connector.send(echo()))
        await asyncio.sleep(0)
        first.cancel()
        go_on.set()
        assert said(await second) == HELLO


async def test_closing_ends_a_start_that_is_under_way(around: Around) -> None:
    async with (
        raw_upstream(lambda _: b"", era="") as upstream,
        connected(around, upstream.url) as connector,
    ):
        sending = asyncio.ensure_future(connector.send(echo()))
        await until(lambda: upstream.asked)
        await connector.aclose()

        with pytest.raises(UpstreamFailed, match="is being stopped"):
            await sending
        await until(lambda: upstream.left)


def test_what_an_upstream_says_of_itself_is_kept_as_it_said_it() -> None:
    raw = b'{"capabilities":{"tools":{"listChanged":true},"x":1},"instructions":"Ask nicely"}'

    found = eras.offered("legacy", raw)

    assert found.era == "legacy"
    assert found.capabilities == {"tools": b'{"listChanged":true}', "x": b"1"}
    assert found.instructions == "Ask nicely"


@pytest.mark.parametrize("raw", [b'{"capabilities":["tools"]}', b"{}", b"7", b"{"])
def test_nothing_but_an_object_declares_capabilities(raw: bytes) -> None:
    assert eras.offered("modern", raw).capabilities == {}
