"""Calls over HTTP to upstreams that say what they should not."""

import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from connectors.mcp_http import HttpConfig, McpHttp
from mcp_gateway.core.credential import NONE, Credential, CredentialRefused
from mcp_gateway.core.errors import (
    ResultTooLarge,
    UpstreamFailed,
    UpstreamTimedOut,
)
from mcp_gateway.core.target import Mirror, Target
from tests.connectors.conftest import SMALL, Around
from tests.connectors.http import (
    CLOSE,
    ERAS,
    EVENTS,
    JSON,
    Asked,
    answer_of,
    connected,
    echo,
    error,
    events,
    raw_upstream,
    result,
    said,
    text,
)
from tests.support.tcp import plain


async def test_opening_waits_for_nobody_and_asks_nobody(around: Around) -> None:
    async with (
        raw_upstream(lambda _: b"") as upstream,
        connected(around, upstream.url),
    ):
        assert upstream.asked == []


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda _: plain(b"<html>", b"content-type: text/html"), "answered 200 and no JSON-RPC"),
        (lambda _: plain(b""), "answered 200 and no JSON-RPC"),
        (lambda _: plain(b"", status=b"202 Accepted"), "answered 202 and no JSON-RPC"),
        (lambda _: plain(b"no", status=b"503 Away"), "answered 503 and no JSON-RPC"),
        (lambda _: plain(b"no", status=b"403 Forbidden"), "answered 403 and no JSON-RPC"),
        (lambda _: plain(b'{"jsonrpc":"2.0","id":999,"result":{}}', JSON), "another request"),
        (lambda a: plain(b'{"jsonrpc":"2.0","id":"%b","result":{}}' % a.id), "another request"),
        (lambda a: plain(b'{"jsonrpc":"2.0","id":%b,"method":"ping"}' % a.id), "another request"),
        (lambda a: plain(b'[{"jsonrpc":"2.0","id":%b,"result":{}}]' % a.id), "no JSON-RPC"),
        (lambda a: plain(b'{"jsonrpc":"2.0","id":%b,"result":7}' % a.id), "no result and no error"),
        (lambda a: plain(b'{"jsonrpc":"2.0","id":%b,"result":null}' % a.id), "no result"),
        (lambda a: plain(b'{"jsonrpc":"2.0","id":%b,"error":{}}' % a.id), "no result"),
        (lambda a: plain(b'{"jsonrpc":"2.0","id":%b,"error":"x"}' % a.id), "no result"),
        (lambda a: plain(b'{"jsonrpc":"2.0","id":%b,"result":{"_meta":7}}' % a.id), "no result"),
        (lambda a: plain(b'{"jsonrpc":"2.0","id":%b,"result":{"a":\xff}}' % a.id), "JSON-RPC"),
        (lambda a: plain(b'{"jsonrpc":"\xff","id":%b,"result":{}}' % a.id), "no JSON-RPC"),
        (lambda _: b"SSH-2.0-OpenSSH_9\r\n\r\n", "not sound HTTP"),
        (lambda _: CLOSE, "before the answer was whole"),
        (lambda _: CLOSE + b"HTTP/1.1 200 OK\r\n", "before the answer was whole"),
        (lambda _: CLOSE + plain(b"{" * 99)[:-50], "before the answer was whole"),
        (lambda _: CLOSE + EVENTS, "ended its stream without an answer"),
        (lambda _: CLOSE + EVENTS + b"data: {", "ended its stream without an answer"),
        (lambda _: CLOSE + EVENTS + b": only comments\n\n" * 3, "without an answer"),
        (lambda _: CLOSE + EVENTS + b"data: not json\n\n", "in its stream is not JSON"),
        (lambda _: CLOSE + EVENTS + b"data: [1]\n\n", "in its stream is batches"),
        (lambda _: events(b'{"jsonrpc":"2.0","id":999,"result":{}}'), "without an answer"),
    ],
)
@pytest.mark.requirement("upstreams:nonsense-is-theirs-alone")
async def test_an_answer_that_is_none_is_the_upstreams_failure(
    around: Around, answer: Any, why: str
) -> None:
    async with (
        raw_upstream(lambda asked: bytes(answer(asked))) as upstream,
        connected(around, upstream.url) as connector,
    ):
        with pytest.raises(UpstreamFailed, match=why):
            await connector.send(echo())


@pytest.mark.parametrize(
    "status", [b"301 Moved", b"302 Found", b"303 Other", b"307 Other", b"308 Other"]
)
@pytest.mark.requirement("upstreams:redirections-are-not-followed")
async def test_a_redirection_is_never_followed(around: Around, status: bytes) -> None:
    async with raw_upstream(lambda asked: text(asked, "stolen")) as other:
        location = b"location: " + other.url.encode()
        async with (
            raw_upstream(lambda _: plain(b"", location, status=status)) as upstream,
            connected(around, upstream.url) as connector,
        ):
            with pytest.raises(UpstreamFailed, match=f"answered {status[:3].decode()}"):
                await connector.send(echo())

    assert other.asked == []


@pytest.mark.parametrize(
    "answer",
    [
        lambda a: text(a, "x" * SMALL),
        lambda _: EVENTS + b"data: " + b"x" * 9_000_000,
        lambda a: plain(b"")[:-6] + b"%d\r\n\r\n" % (SMALL + 1) + answer_of(a),
    ],
)
@pytest.mark.requirement("upstreams:nonsense-is-theirs-alone")
async def test_an_answer_that_is_too_large_is_told_as_such(around: Around, answer: Any) -> None:
    async with (
        raw_upstream(lambda asked: bytes(answer(asked))) as upstream,
        connected(around, upstream.url) as connector,
    ):
        with pytest.raises(ResultTooLarge, match=r"up: an (answer|event) of more than"):
            await connector.discover(NONE)


@pytest.mark.parametrize("begun", [b"", EVENTS, EVENTS + b": alive\n\n"])
async def test_an_answer_that_does_not_come_is_not_waited_for(around: Around, begun: bytes) -> None:
    async with (
        raw_upstream(lambda _: begun) as upstream,
        connected(around, upstream.url, timeout=0.3) as connector,
    ):
        with pytest.raises(UpstreamTimedOut):
            await connector.send(echo())


async def test_a_refused_credential_is_told_as_such_every_time(around: Around) -> None:
    async with (
        raw_upstream(lambda _: plain(b"no", status=b"401 Unauthorized")) as upstream,
        connected(around, upstream.url) as connector,
    ):
        for _ in range(2):
            with pytest.raises(CredentialRefused):
                await connector.send(echo())

    assert len(upstream.of("tools/call")) == 2


async def test_a_refusal_in_a_stream_lets_the_connection_go(around: Around) -> None:
    stream = b"HTTP/1.1 401 Unauthorized\r\ncontent-type: text/event-stream\r\n\r\n: hold\n\n"
    async with (
        raw_upstream(lambda _: stream) as upstream,
        connected(around, upstream.url) as connector,
    ):
        with pytest.raises(CredentialRefused):
            await connector.send(echo())


@pytest.mark.requirement("upstreams:no-credential-is-told")
async def test_a_credential_that_no_header_can_hold_is_told_without_its_value(
    around: Around, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    broken = Credential("static:up", (("authorization", "Bearer s3cr3t\nx: y"),))
    async with (
        raw_upstream(lambda asked: text(asked, "done")) as upstream,
        connected(around, upstream.url) as connector,
    ):
        with pytest.raises(UpstreamFailed, match="characters that no header has"):
            await connector.send(echo(broken))
        await connector.send(echo())
        for send in (connector.send(echo(broken)), connector.discover(broken)):
            with pytest.raises(UpstreamFailed, match="characters that no header has") as told:
                await send
            assert "s3cr3t" not in str(told.value) + repr(told.value)

    assert "s3cr3t" not in caplog.text
    assert len(upstream.asked) == 2


@pytest.mark.requirement("upstreams:a-dead-one-fails-its-calls")
async def test_an_upstream_that_is_away_asks_for_a_new_look_at_it(around: Around) -> None:
    async with raw_upstream(lambda asked: text(asked, "done")) as upstream:
        connector = await McpHttp.open("up", HttpConfig(url=upstream.url), around.services)
        await connector.send(echo())
        assert around.changed == []
    with pytest.raises(UpstreamFailed, match="no connection to 127"):
        await connector.send(echo())

    assert around.changed == ["up"]
    await connector.aclose()


@ERAS
async def test_mirrored_arguments_are_for_upstreams_of_today(around: Around, era: Any) -> None:
    target = Target("tool", "up", "echo", mirrored=(Mirror(("text",), "mcp-param-text"),))
    async with (
        raw_upstream(lambda asked: text(asked, "done"), era=era) as upstream,
        connected(around, upstream.url) as connector,
    ):
        made = echo()
        made.target = target
        await connector.send(made)

    seen = upstream.of("tools/call")[0].head.get("mcp-param-text")
    assert seen == ("hello" if era == "modern" else None)


@ERAS
async def test_what_an_upstream_lists_is_read_in_either_era(around: Around, era: Any) -> None:
    def say(asked: Asked) -> bytes:
        if asked.method == "tools/list":
            return result(asked, {"tools": [{"name": "a", "inputSchema": {"type": "object"}}]})
        return error(asked, -32601, b"404 Not Found" if era == "modern" else b"200 OK")

    async with (
        raw_upstream(say, era=era) as upstream,
        connected(around, upstream.url) as connector,
    ):
        found = await connector.discover(NONE)

    assert [(d.kind, d.name) for d in found] == [("tool", "a")]
    meta = "_meta" in upstream.of("tools/list")[0].message["params"]
    assert meta == (era == "modern")


async def test_an_error_in_place_of_a_declared_list_is_told(around: Around) -> None:
    async with (
        raw_upstream(lambda asked: error(asked, -32603, message="on fire")) as upstream,
        connected(around, upstream.url) as connector,
    ):
        with pytest.raises(UpstreamFailed, match="tools/list with the error -32603: on fire"):
            await connector.discover(NONE)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"url": "ftp://x"},
        {"url": "http://user:password@x/"},
        {"url": "http://x/ y"},
        {"url": "http://x/", "timeout": 0},
        {"url": "http://x/", "surprise": 1},
        {"url": "http://x:{port}/"},
        {"url": "http://x/", "command": ["server"]},
    ],
)
def test_a_configuration_that_cannot_be_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        HttpConfig.model_validate(config)


async def test_a_server_of_the_gateways_own_is_started_when_it_is_needed(
    around: Around, tmp_path: Path
) -> None:
    example = Path(__file__).parents[1] / "support" / "example_server.py"
    config = HttpConfig(
        url="http://127.0.0.1:{port}/mcp", command=[sys.executable, str(example), "{port}"]
    )
    connector = await McpHttp.open("up", config, around.services)
    found = await connector.discover(NONE)
    made = echo(NONE)
    answer = await connector.send(made)
    await connector.aclose()

    assert "echo" in {definition.name for definition in found}
    assert said(answer) == "hello"
    assert around.ledger.kinds == ["spawn", "child.ended"]
    with pytest.raises(UpstreamFailed):
        await connector.send(made)
