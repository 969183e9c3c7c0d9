"""Which bytes are a message: one, with one meaning, of a bounded size; whatever else arrives."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.edge.mcp import BODY_LIMIT
from mcp_gateway.wire import modern
from tests.support.edge import (
    EdgeUnderTest,
    message,
    modern_headers,
    with_meta,
)


def _code(answered: Any) -> int:
    return int(answered.json()["error"]["code"])


@pytest.mark.parametrize(
    "id_", [b"0", b"-1", b"1.50", b"12345678901234567890123", b'""', b'"a\\"b"']
)
async def test_the_id_comes_back_as_it_was_written(id_: bytes) -> None:
    edge = EdgeUnderTest()
    body = b'{"jsonrpc":"2.0","id":%b,"method":"tools/list"}' % id_

    assert (await edge.ask(body)).body.startswith(b'{"jsonrpc":"2.0","id":%b,' % id_)


@pytest.mark.requirement("edge:one-reading-of-a-call")
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b"\xff\xfe{}", -32700),
        (b"nonsense", -32700),
        (b"{}{}", -32700),
        (b"[" * 100_000, -32600),
        (b'{"a":' * 100_000, -32700),
        (b"[]", -32600),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600),
        (b' \n\t[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600),
        (b"5", -32600),
        (b'"ping"', -32600),
        (b"null", -32600),
        (b"{}", -32600),
        (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600),
        (b'{"jsonrpc":2.0,"id":1,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":1}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":5}', -32600),
        (b'{"jsonrpc":"2.0","id":{},"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":[1],"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":"\xff","method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":"\xed\xa0\x80","method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":"%b","method":"ping"}' % (b"a" * 1100), -32600),
        (b'{"jsonrpc":"2.0","id":%b,"method":"ping"}' % (b"9" * 1100), -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":5}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":1,"\\u0061":2}}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":[{"b":1,"b":2}]}}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"\xff"}}', -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":%b1%b}}'
         % (b"[" * 50_000, b"]" * 50_000), -32700),
    ],
)  # fmt: skip
@pytest.mark.parametrize("version", [b"2026-07-28", b"2025-06-18", b"-"])
async def test_what_is_no_single_message_with_one_meaning_is_refused(
    body: bytes, code: int, version: bytes
) -> None:
    edge = EdgeUnderTest()

    answered = await edge.ask(body, headers=[(b"mcp-protocol-version", version)])

    assert (answered.status, _code(answered), edge.calls) == (400, code, [])


@pytest.mark.parametrize(
    "media",
    [b"-", b"", b"text/plain", b"application/x-www-form-urlencoded", b"multipart/form-data",
     b"text/event-stream", b"application/json2", b"application/jsonp", b"json"],
)  # fmt: skip
async def test_a_message_is_json_by_its_type(media: bytes) -> None:
    edge = EdgeUnderTest()

    answered = await edge.ask(message("tools/list"), headers=[(b"content-type", media)])

    assert (answered.status, edge.calls) == (415, [])


@pytest.mark.parametrize(
    "media", [b"application/json; charset=utf-8", b"Application/JSON", b"application/json ;x=y"]
)
async def test_json_may_be_written_with_a_charset(media: bytes) -> None:
    edge = EdgeUnderTest()

    assert (await edge.ask(message("tools/list"), headers=[(b"content-type", media)])).status == 200


@pytest.mark.requirement("edge:bodies-are-bounded")
async def test_a_body_over_the_limit_is_refused() -> None:
    edge = EdgeUnderTest()

    answered = await edge.ask([b" " * (BODY_LIMIT // 4)] * 40)

    assert (answered.status, edge.calls) == (413, [])


async def test_a_caller_who_leaves_while_sending_gets_nothing() -> None:
    edge = EdgeUnderTest()
    exchange = edge.exchange([])
    exchange.hang_up.set()

    assert (await exchange.run(edge.app)).status == 0
    assert edge.calls == []


@pytest.mark.parametrize("version", [b"2026-07-28", b"-"])
@pytest.mark.parametrize(
    "body",
    [
        b'{"jsonrpc":"2.0","method":"notifications/initialized"}',
        b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}',
        b'{"jsonrpc":"2.0","method":"tools/call","params":{"name":"github__delete_repo"}}',
        b'{"jsonrpc":"2.0","id":1,"result":{}}',
        b'{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}',
    ],
)
async def test_what_wants_no_answer_is_accepted_and_makes_no_call(
    body: bytes, version: bytes
) -> None:
    edge = EdgeUnderTest()

    answered = await edge.ask(body, headers=[(b"mcp-protocol-version", version)])

    assert (answered.status, answered.body, edge.calls) == (202, b"", [])


TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_a_trace_is_taken_from_meta_or_header_and_nonsense_is_not() -> None:
    edge = EdgeUnderTest()
    headers = [(b"traceparent", TRACE.encode()), *modern_headers("tools/list", {})]

    await edge.ask(message("tools/list", with_meta(None)), headers=headers)
    other = TRACE.replace("b7ad", "aaaa")
    await edge.ask(message("tools/list", with_meta(None, traceparent=other)), headers=headers)
    for nonsense in (b"x", TRACE.encode() + b"\r\nx: y", b"\xff" * 55):
        await edge.modern("tools/list", headers=[(b"traceparent", nonsense)])

    assert [call.trace for call in edge.calls[:2]] == [TRACE, other]
    assert all(call.trace != "x" and "\n" not in call.trace for call in edge.calls[2:])


@pytest.mark.requirement("edge:claims-are-bounded")
@given(st.text(max_size=300), st.text(max_size=300))
async def test_what_a_runtime_says_of_itself_is_short_and_printable(
    name: str, version: str
) -> None:
    edge = EdgeUnderTest()
    info = {modern.META_CLIENT: {"name": name, "version": version}}
    body = message("tools/list", with_meta(None, **info))

    answered = await edge.ask(body, headers=modern_headers("tools/list", {}))

    assert answered.status == 200
    claim = edge.calls[0].client
    assert len(claim) <= 120
    assert claim.isprintable()


@given(st.binary(max_size=200))
async def test_whatever_bytes_arrive_are_answered_in_order(body: bytes) -> None:
    edge = EdgeUnderTest()

    answered = await edge.ask(body)

    assert answered.status == 400
    assert answered.json()["jsonrpc"] == "2.0"
    assert edge.calls == []


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {"jsonrpc": st.just("2.0") | _JSON},
        optional={
            "id": _JSON,
            "method": st.sampled_from(["tools/call", "initialize", "ping", "x", ""]) | _JSON,
            "params": st.dictionaries(
                st.sampled_from(["name", "_meta", "clientInfo", "requestId", "arguments"]), _JSON
            )
            | _JSON,
        },
    ),
    st.sampled_from([b"2026-07-28", b"2025-06-18", b"-"]),
)
async def test_whatever_message_arrives_is_answered_and_never_by_a_fault(
    body: Any, version: bytes
) -> None:
    edge = EdgeUnderTest()

    answered = await edge.ask(body, headers=[(b"mcp-protocol-version", version)])

    assert answered.status in (200, 202, 400, 404)
    assert answered.status == 202 or answered.json()["jsonrpc"] == "2.0"
    assert "-32603" not in answered.body.decode()
