"""What callers send that is wrong: the status and error that the specification names, no more."""

import json
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from mcp_gateway.wire import modern
from tests.connectors.http import raw_upstream, result
from tests.support.edge import BOTH, INITIALIZE, message, modern_headers, with_meta
from tests.support.gateway import GatewayUnderTest, gateway_under_test

CONFIG: Final = """
[policy]
rules = ["builtin:first-run"]

[servers.everything]
connector = "mcp_http"
url = "{url}"
"""
SECRET: Final = "nobody-may-see-this"
ECHO: Final = {"name": "everything__echo", "arguments": {"text": "hello"}}
Headers = Mapping[str, str | None]


@dataclass(frozen=True)
class Bad:
    """A request that is wrong in one way. A header of None is left out; a body may be raw."""

    name: str
    status: int
    code: int | None
    body: Any = None
    headers: Headers = field(default_factory=dict)
    more: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return self.name


def call(params: Any = None, method: str = "tools/call", id_: Any = 1) -> bytes:
    return json.dumps(message(method, with_meta(params or ECHO), id_)).encode()


def raw(params: str) -> bytes:
    """A tools/call with these parameters, word for word."""
    meta = json.dumps(with_meta({})["_meta"])
    text = f'{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"_meta":{meta},{params}}}}}'
    return text.encode("utf-8", "surrogatepass")


NAMED: Final = '"name":"everything__echo","arguments":'
JSON: Final = [
    Bad("no JSON", 400, -32700, b"{nonsense"),
    Bad("nothing", 400, -32700, b""),
    Bad("a cut message", 400, -32700, call()[:-1]),
    Bad("two messages", 400, -32700, call() * 2),
    Bad("UTF-16", 400, -32700, call().decode().encode("utf-16")),
    Bad("no UTF-8", 400, -32700, raw(NAMED + '{"text":"@"}').replace(b"@", b"\xff\xfe")),
    Bad(
        "an overlong character", 400, -32700, raw(NAMED + '{"text":"@"}').replace(b"@", b"\xc0\xaf")
    ),
    Bad("half a surrogate, raw", 400, -32700, raw(NAMED + '{"text":"\ud800"}')),
    Bad("half a surrogate, escaped", 400, -32700, raw(NAMED + '{"text":"\\ud800"}')),
    Bad("a NUL", 400, -32700, raw(NAMED + '{"text":"\0"}')),
    Bad("NaN", 400, -32700, raw(NAMED + '{"n":NaN}')),
    Bad("a number beyond all", 400, -32700, raw(NAMED + '{"n":1e400}')),
    Bad("a comma too many", 400, -32700, raw(NAMED + '{"n":1,}')),
    Bad("nested deeply", 400, None, raw(NAMED + '{"n":' + "[" * 300 + "]" * 300 + "}")),
    Bad("nested without end", 400, None, raw(NAMED + '{"n":' + "[" * 100_000)),
    Bad("a batch", 400, -32600, b"[" + call() + b"]"),
    Bad("an empty batch", 400, -32600, b"[]"),
    Bad("a text", 400, -32600, b'"tools/call"'),
    Bad("another version", 400, -32600, call().replace(b'"2.0"', b'"1.0"')),
    Bad("an id that is an object", 400, -32600, call(id_={"a": 1})),
    Bad("an id of 10 KB", 400, -32600, call(id_="x" * 10_000)),
    Bad("a method that is none", 400, -32600, call(method="")),
    Bad("params that are a list", 400, None, json.dumps(message("tools/call") | {"params": []})),
    Bad("a name twice", 400, -32602, raw(NAMED + '{},"name":"other"')),
    Bad("a name twice, escaped", 400, -32602, raw(NAMED + '{},"n\\u0061me":"other"')),
    Bad("an argument twice", 400, -32602, raw(NAMED + '{"a":1,"a":2}')),
    Bad("more than 4 MiB", 413, None, raw(NAMED + json.dumps({"text": "x" * 4_200_000}))),
]
ROUTING: Final = [
    Bad("no method header", 400, -32020, headers={"mcp-method": None}),
    Bad("no name header", 400, -32020, headers={"mcp-name": None}),
    Bad("another method", 400, -32020, headers={"mcp-method": "tools/list"}),
    Bad("another name", 400, -32020, headers={"mcp-name": "everything__other"}),
    Bad("another case", 400, -32020, headers={"mcp-name": "Everything__echo"}),
    Bad("a broken encoding", 400, -32020, headers={"mcp-name": "=?base64?!!?="}),
    Bad("an encoding of something else", 400, -32020, headers={"mcp-name": "=?base64?eA==?="}),
    Bad("another version", 400, -32020, headers={"mcp-protocol-version": "2099-01-01"}),
    Bad("a name header twice", 400, None, more=(("mcp-name", "everything__other"),)),
    Bad("the same name header twice", 400, None, more=(("mcp-name", "everything__echo"),)),
    Bad("a method header twice", 400, None, more=(("mcp-method", "tools/call"),)),
    Bad("a version twice", 400, None, more=(("mcp-protocol-version", modern.REVISION),)),
    Bad(
        "two credentials",
        400,
        None,
        more=(("authorization", "Bearer a"), ("authorization", "Bearer b")),
    ),
    Bad("another media type", 415, None, headers={"content-type": "text/plain"}),
    Bad("a page's origin", 403, None, headers={"origin": "https://evil.example"}),
    Bad("another host", 421, None, headers={"host": "evil.example"}),
]
WHATEVER: Final = [
    Bad("20 digits", 200, None, raw(NAMED + '{"n":99999999999999999999}')),
    Bad("a whole number of 400 digits", 200, None, raw(NAMED + '{"n":' + "9" * 400 + "}")),
    Bad("an id of 30 digits", 200, None, call(id_=10**30)),
    Bad("200 deep", 200, None, raw(NAMED + '{"n":' + "[" * 200 + "]" * 200 + "}")),
    Bad("a NUL, escaped", 200, None, raw(NAMED + '{"text":"\\u0000"}')),
]


@pytest.fixture(scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayUnderTest]:
    def say(asked: Any) -> bytes:
        if asked.method == "tools/list":
            tool = {"name": "echo", "inputSchema": {"type": "object"}}
            return result(asked, {"tools": [tool], "ttlMs": 0, "cacheScope": "private"})
        if asked.method.endswith("/list"):
            return result(asked, {asked.method.partition("/")[0]: []})
        return result(asked, {"content": [], "resultType": "complete"})

    async with raw_upstream(say) as upstream:
        folder: Path = tmp_path_factory.mktemp("bad")
        async with gateway_under_test(folder, CONFIG.format(url=upstream.url)) as running:
            await running.serving("everything")
            yield running


async def sent(gateway: GatewayUnderTest, bad: Bad) -> Any:
    headers: dict[str, str | None] = {
        "content-type": "application/json",
        **{name.decode(): value.decode() for name, value in modern_headers("tools/call", ECHO)},
        BOTH[0].decode(): BOTH[1].decode(),
        **bad.headers,
    }
    pairs = [(name, value) for name, value in headers.items() if value is not None]
    body = call() if bad.body is None else bad.body
    async with gateway.http("alice") as http:
        request = http.build_request("POST", "/mcp", content=body, headers=[*pairs, *bad.more])
        return await http.send(request)


@pytest.mark.requirement("edge:bad-input")
@pytest.mark.parametrize("bad", [*JSON, *ROUTING, *WHATEVER], ids=str)
async def test_bad_input_has_its_status_and_error_and_no_call(
    gateway: GatewayUnderTest, caplog: pytest.LogCaptureFixture, bad: Bad
) -> None:
    before = len(gateway.entries())

    with caplog.at_level(logging.WARNING):
        answer = await sent(gateway, bad)

    assert answer.status_code == bad.status, answer.text
    if bad.code is not None:
        assert answer.json()["error"]["code"] == bad.code
    if bad.status != 200:
        assert len(gateway.entries()) == before, "there was no call"
        assert len(answer.content) < 1000
    assert not caplog.records
    after = await sent(gateway, Bad("as it should be", 200, None))
    assert after.json()["result"]["resultType"] == "complete"


@pytest.mark.requirement("edge:bad-input")
async def test_another_principals_session_is_no_session(gateway: GatewayUnderTest) -> None:
    headers = {"accept": "application/json, text/event-stream"}
    async with gateway.http("alice") as alice, gateway.http("admin") as other:
        begun = await alice.post("/mcp", json=message("initialize", INITIALIZE), headers=headers)
        session = {**headers, "mcp-session-id": begun.headers["mcp-session-id"]}

        theirs = await other.post("/mcp", json=message("ping"), headers=session)
        ended = await other.delete("/mcp", headers=session)
        unknown = await other.post(
            "/mcp", json=message("ping"), headers={**headers, "mcp-session-id": "none-such"}
        )
        own = await alice.post("/mcp", json=message("ping"), headers=session)

    assert (theirs.status_code, ended.status_code, unknown.status_code) == (404, 404, 404)
    assert theirs.content == unknown.content, "whether it exists is not told"
    assert own.json()["result"] == {}
