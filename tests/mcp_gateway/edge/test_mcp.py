"""The MCP edge: what arrives becomes one call or none, and every answer is on its caller's wire."""

import base64
import json
from typing import Any

import pytest

from mcp_gateway.core.body import Body
from mcp_gateway.wire import modern
from tests.support.calls import ALICE
from tests.support.edge import (
    NOBODYS,
    EdgeUnderTest,
    bearer,
    message,
    modern_headers,
    with_meta,
)
from tests.support.fakes import FakePolicy

ADD = {"name": "github__add", "arguments": {"a": 1}}
ENDPOINTS = ("/mcp", "/servers/github/mcp")


def _code(answered: Any) -> int:
    return int(answered.json()["error"]["code"])


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_a_request_is_a_call_of_its_principal_at_its_endpoint(path: str) -> None:
    edge = EdgeUnderTest()

    answered = await edge.modern("tools/call", ADD, path=path)

    (call,) = edge.calls
    assert (call.method, call.principal) == ("tools/call", ALICE)
    assert call.params.view()["arguments"] == {"a": 1}
    assert call.endpoint == ("github" if "github" in path else "")
    assert (answered.status, answered.header(b"content-type")) == (200, b"application/json")
    assert answered.json()["result"] == {"content": [], "resultType": "complete"}


async def test_what_is_not_understood_passes_byte_for_byte() -> None:
    edge = EdgeUnderTest()
    raw = (
        b'{"vendor": {"b":1, "a":[1.0, 1e2, "\\u00e9\\/"]}, "name":"x", "_meta":%b}'
        % json.dumps(with_meta(None)["_meta"]).encode()
    )
    edge.result = Body(b'{ "content":[ {"type":"hologram", "x":1.50} ],"vendor":{ } }')
    body = b'{"jsonrpc":"2.0","id":"\\u0041","method":"tools/call","params":%b}' % raw

    answered = await edge.ask(body, headers=modern_headers("tools/call", {"name": "x"}))

    assert edge.calls[0].params.raw == raw
    assert answered.body == b'{"jsonrpc":"2.0","id":"\\u0041","result":%b}' % edge.result.raw


@pytest.mark.requirement("edge:headers-equal-the-body")
@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({b"mcp-method": b"tools/list"}, -32020),
        ({b"mcp-method": b"Tools/Call"}, -32020),
        ({b"mcp-method": b"-"}, -32020),
        ({b"mcp-name": b"github__delete_repo"}, -32020),
        ({b"mcp-name": b"GITHUB__ADD"}, -32020),
        ({b"mcp-name": b"-"}, -32020),
        ({b"mcp-name": b"=?base64?!!?="}, -32020),
        ({b"mcp-protocol-version": b"2026-07-29"}, -32020),
        ({b"mcp-protocol-version": b""}, -32020),
    ],
)
async def test_headers_that_differ_from_the_body_are_refused(
    changed: dict[bytes, bytes], code: int
) -> None:
    edge = EdgeUnderTest()
    headers = dict(modern_headers("tools/call", ADD)) | changed
    sent = [pair for pair in headers.items() if pair[1] != b"-"]

    answered = await edge.ask(message("tools/call", with_meta(ADD)), headers=sent)

    assert (answered.status, _code(answered), edge.calls) == (400, code, [])


@pytest.mark.requirement("edge:headers-equal-the-body")
async def test_a_name_in_base64_is_the_same_name() -> None:
    edge = EdgeUnderTest()
    params = {"name": "github__prüfen"}
    encoded = base64.b64encode(params["name"].encode())
    headers = [*modern_headers("tools/call", params)[:2], (b"mcp-name", b"=?base64?%b?=" % encoded)]

    answered = await edge.ask(message("tools/call", with_meta(params)), headers=headers)

    assert (answered.status, len(edge.calls)) == (200, 1)


@pytest.mark.requirement("edge:headers-stand-once")
@pytest.mark.parametrize(
    "name", [b"mcp-name", b"mcp-method", b"mcp-protocol-version", b"authorization", b"host"]
)
async def test_a_header_that_stands_twice_is_refused(name: bytes) -> None:
    edge = EdgeUnderTest()
    exchange = edge.exchange(
        message("tools/call", with_meta(ADD)), headers=modern_headers("tools/call", ADD)
    )
    pairs = exchange.scope["headers"]
    pairs.append(next(pair for pair in pairs if pair[0] == name))

    answered = await exchange.run(edge.app)

    assert (answered.status, edge.calls) == (400, [])


@pytest.mark.requirement("edge:versions")
@pytest.mark.parametrize("version", ["2026-07-29", "2030-01-01", "draft"])
async def test_a_version_that_is_not_spoken_is_refused_with_those_that_are(version: str) -> None:
    edge = EdgeUnderTest()
    headers = [(b"mcp-protocol-version", version.encode()), *modern_headers("tools/call", ADD)[1:]]
    body = message("tools/call", with_meta(ADD, **{modern.META_VERSION: version}))

    answered = await edge.ask(body, headers=headers)

    assert (answered.status, _code(answered), edge.calls) == (400, -32022, [])
    data = answered.json()["error"]["data"]
    assert data == {"supported": [modern.REVISION], "requested": version}


@pytest.mark.parametrize("meta", [None, {}, {modern.META_VERSION: modern.REVISION}, [], "x"])
async def test_a_modern_request_without_its_meta_is_refused(meta: Any) -> None:
    edge = EdgeUnderTest()
    body = message("tools/call", {**ADD, "_meta": meta})

    answered = await edge.ask(body, headers=modern_headers("tools/call", ADD))

    assert (answered.status, _code(answered), edge.calls) == (400, -32602, [])


async def test_discovery_is_answered_without_an_upstream() -> None:
    edge = EdgeUnderTest()

    answered = await edge.modern("server/discover")

    assert answered.json()["result"]["supportedVersions"] == [modern.REVISION]
    assert edge.calls == []


@pytest.mark.requirement("authorize:strangers-learn-nothing")
async def test_a_server_that_may_not_be_known_is_like_none() -> None:
    edge = EdgeUnderTest(policy=FakePolicy(prospects={"catalog/github/tools/list": "deny"}))
    said = []
    for server in ("github", "nothing"):
        modern_ = await edge.modern("server/discover", path=f"/servers/{server}/mcp")
        legacy_ = await edge.legacy("initialize", {}, path=f"/servers/{server}/mcp")
        said.append([(a.status, a.body, a.headers) for a in (modern_, legacy_)])

    assert said[0] == said[1]
    assert said[0][0][0] == 404


@pytest.mark.requirement("edge:methods-by-era")
@pytest.mark.parametrize(
    "method",
    [
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
        "nothing/like-this",
        "a",
        "tasks/list",
    ],
)
async def test_a_method_that_the_era_does_not_know_is_not_found(method: str) -> None:
    edge = EdgeUnderTest()

    answered = await edge.modern(method)

    assert (answered.status, _code(answered), edge.calls) == (404, -32601, [])


@pytest.mark.requirement("tasks:of-who-began-them")
@pytest.mark.parametrize("path", ENDPOINTS)
async def test_tasks_are_of_the_revision_that_has_them_and_never_a_list(path: str) -> None:
    edge = EdgeUnderTest()

    for method in ("tasks/get", "tasks/update", "tasks/cancel"):
        asked = await edge.modern(method, {"taskId": "t1.x"}, path=path)
        older = await edge.legacy(method, {"taskId": "t1.x"}, path=path)
        assert (asked.status, older.status, _code(older)) == (200, 200, -32601)
    for method in ("tasks/list", "tasks/result"):
        assert _code(await edge.modern(method, path=path)) == -32601
        assert _code(await edge.legacy(method, path=path)) == -32601

    assert [call.method for call in edge.calls] == ["tasks/get", "tasks/update", "tasks/cancel"]


async def test_an_unknown_method_is_a_call_where_there_is_one_server_only() -> None:
    edge = EdgeUnderTest()

    answered = await edge.modern("vendor/method", {"x": 1}, path="/servers/github/mcp")
    subscribed = [
        await edge.modern(method, {"uri": "repo://a"}, path="/servers/github/mcp")
        for method in ("resources/subscribe", "resources/unsubscribe")
    ]

    assert (answered.status, edge.calls[0].method) == (200, "vendor/method")
    assert ([s.status for s in subscribed], len(edge.calls)) == ([404, 404], 1)


@pytest.mark.requirement("edge:only-post")
@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS", "post", ""])
@pytest.mark.parametrize("version", [b"2026-07-28", b"2025-06-18", b"2024-11-05", b"-"])
@pytest.mark.parametrize("path", ENDPOINTS)
async def test_messages_come_by_post_alone(method: str, version: bytes, path: str) -> None:
    edge = EdgeUnderTest()

    answered = await edge.ask(
        b"", method=method, path=path, headers=[(b"mcp-protocol-version", version)]
    )

    assert (answered.status, edge.calls) == (405, [])
    allowed = b"POST" if version == b"2026-07-28" else b"GET, POST, DELETE"
    assert answered.header(b"allow") == allowed


@pytest.mark.requirement("edge:only-post")
async def test_the_modern_era_has_no_session_to_delete() -> None:
    edge = EdgeUnderTest()
    session = await edge.session()
    headers = [(b"mcp-session-id", session), (b"mcp-protocol-version", b"2026-07-28")]

    answered = await edge.ask(b"", method="DELETE", headers=headers)

    assert (answered.status, answered.header(b"allow")) == (405, b"POST")
    assert (await edge.legacy("ping", session=session)).status == 200


@pytest.mark.requirement("edge:only-post")
async def test_who_looks_for_a_log_in_by_get_finds_the_challenge() -> None:
    answered = await EdgeUnderTest().ask(b"", method="GET", principal=None)

    assert (answered.status, answered.header(b"www-authenticate")) == (401, b"Bearer")


async def test_the_session_of_the_other_era_is_ignored() -> None:
    edge = EdgeUnderTest()

    answered = await edge.modern("tools/call", ADD, headers=[(b"mcp-session-id", b"of-another")])

    assert (answered.status, len(edge.calls)) == (200, 1)


@pytest.mark.parametrize(
    ("headers", "path", "status"),
    [
        ([(b"host", b"evil.example")], "/mcp", 421),
        ([(b"host", b"-")], "/mcp", 421),
        ([(b"origin", b"https://evil.example")], "/mcp", 403),
        ([(b"origin", b"null")], "/mcp", 403),
        ([bearer(b"wrong")], "/mcp", 401),
        ([(b"authorization", b"-")], "/mcp", 401),
        ([], "/servers/mcp", 404),
        ([], "/servers//mcp", 404),
        ([], "/servers/a/b/mcp", 404),
        ([], "/servers/github/mcp/", 404),
        ([], "/servers/../mcp", 404),
        ([], '/servers/a"\r\nset-cookie: a=b/mcp', 404),
        ([], "/servers/github\x00/mcp", 404),
        ([], "/servers/gïthub/mcp", 404),
    ],
)  # fmt: skip
@pytest.mark.requirement("edge:host-is-checked")
async def test_who_does_not_get_past_the_door_makes_no_call(
    headers: list[tuple[bytes, bytes]], path: str, status: int
) -> None:
    edge = EdgeUnderTest()

    answered = await edge.ask(message("tools/list"), headers=headers, path=path)

    assert (answered.status, edge.calls) == (status, [])
    assert set(answered.json()) == {"error"}


async def test_what_is_no_endpoint_is_that_for_strangers_too() -> None:
    answered = await EdgeUnderTest().ask(b"", path="/servers/a\r\nx: y/mcp", principal=None)

    assert (answered.status, answered.all(b"www-authenticate")) == (404, [])


async def test_nothing_of_the_body_is_read_before_the_caller_is_known() -> None:
    edge = EdgeUnderTest()
    exchange = edge.exchange(message("tools/list"), principal=None)

    await exchange.run(edge.app)

    assert (await exchange.receive())["type"] == "http.request"


async def test_a_tenant_that_is_not_served_is_told_so() -> None:
    answered = await EdgeUnderTest().modern("tools/list", principal=NOBODYS)

    assert answered.status == 403
