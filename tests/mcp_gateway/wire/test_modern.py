"""2026-07-28: what a request says in its headers is what it says in its body."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.wire import jsonrpc, modern

PLAIN = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20)
META: Mapping[str, Any] = {modern.META_VERSION: modern.REVISION, modern.META_CAPABILITIES: {}}
CALL: Mapping[str, Any] = {"name": "github__add", "_meta": META}


def message(method: str = "tools/call", params: Mapping[str, Any] = CALL) -> jsonrpc.Message:
    return jsonrpc.parse(jsonrpc.request(b"1", method, jsonrpc.encode(params)))


def headers(method: str = "tools/call", name: str = "github__add") -> dict[bytes, bytes]:
    made = modern.request_headers(method, name)
    return {key.encode(): value.encode("latin-1") for key, value in made}


def refused(sent: Mapping[bytes, bytes], asked: jsonrpc.Message) -> modern.Mismatch:
    with pytest.raises(modern.Mismatch) as caught:
        modern.check(sent, asked)
    return caught.value


@given(st.text(max_size=30))
def test_any_name_survives_the_way_through_a_header(name: str) -> None:
    sent = modern.encode_header(name)

    assert sent.isascii()
    assert sent == sent.strip()
    assert "\n" not in sent
    assert modern.decode_header(sent) == name


@given(PLAIN.filter(lambda text: text == text.strip() and not text.startswith("=?base64?")))
def test_a_plain_name_is_sent_as_it_is(name: str) -> None:
    assert modern.encode_header(name) == name


def test_a_name_that_looks_encoded_is_encoded() -> None:
    name = "=?base64?YQ==?="

    assert modern.encode_header(name) != name
    assert modern.decode_header(modern.encode_header(name)) == name


@pytest.mark.parametrize("sent", ["=?base64?!?=", "=?base64?YQ?=", "=?base64?/w==?="])
def test_a_broken_encoding_is_a_mismatch(sent: str) -> None:
    with pytest.raises(modern.Mismatch) as caught:
        modern.decode_header(sent)
    assert caught.value.code == modern.HEADER_MISMATCH


@pytest.mark.parametrize(
    ("method", "name", "params"),
    [
        ("tools/call", "github__add", CALL),
        ("tools/call", "\u00e9t\u00e9\n", {"name": "\u00e9t\u00e9\n", "_meta": META}),
        ("resources/read", "repo://x", {"uri": "repo://x", "_meta": META}),
        ("tools/list", "", {"_meta": META}),
        ("tasks/get", "t-1", {"taskId": "t-1", "_meta": META}),
    ],
)
@pytest.mark.requirement("edge:headers-equal-the-body")
def test_the_headers_of_a_request_fit_its_body(
    method: str, name: str, params: Mapping[str, Any]
) -> None:
    modern.check(headers(method, name), message(method, params))


def test_what_names_nothing_carries_no_name() -> None:
    assert b"mcp-name" not in headers("tools/list")
    assert headers()[b"mcp-name"] == b"github__add"


@pytest.mark.requirement("edge:headers-equal-the-body")
@pytest.mark.parametrize(
    ("header", "value"),
    [
        (b"mcp-method", b"tools/list"),
        (b"mcp-name", b"github__delete_repo"),
        (b"mcp-name", b"=?base64?!?="),
        (b"mcp-protocol-version", b"2027-01-01"),
    ],
)
def test_a_header_that_says_something_else_is_a_mismatch(header: bytes, value: bytes) -> None:
    assert refused(headers() | {header: value}, message()).code == modern.HEADER_MISMATCH


@pytest.mark.requirement("edge:headers-equal-the-body")
@pytest.mark.parametrize("header", [b"mcp-method", b"mcp-name", b"mcp-protocol-version"])
def test_a_header_that_is_missing_is_a_mismatch(header: bytes) -> None:
    sent = headers()
    del sent[header]

    fault = refused(sent, message())
    assert (fault.code, header.decode() in fault.message) == (modern.HEADER_MISMATCH, True)


@pytest.mark.parametrize(
    "meta",
    [
        None,
        7,
        {},
        {modern.META_VERSION: modern.REVISION},
        {modern.META_CAPABILITIES: {}},
    ],
)
def test_a_request_says_its_version_and_capabilities(meta: Any) -> None:
    params = {"name": "github__add"} | ({} if meta is None else {"_meta": meta})

    assert refused(headers(), message(params=params)).code == jsonrpc.INVALID_PARAMS


@pytest.mark.parametrize("name", [None, 7, ["github__add"]])
def test_a_name_is_a_text(name: Any) -> None:
    fault = refused(headers(), message(params={"name": name, "_meta": META}))

    assert (fault.code, "'name'" in fault.message) == (jsonrpc.INVALID_PARAMS, True)


def test_a_version_that_is_not_spoken_is_refused_with_those_that_are() -> None:
    other = {**META, modern.META_VERSION: "2027-01-01"}
    sent = headers() | {b"mcp-protocol-version": b"2027-01-01"}

    fault = refused(sent, message(params={"name": "github__add", "_meta": other}))

    assert fault.code == modern.UNSUPPORTED_VERSION
    assert fault.data == {"supported": [modern.REVISION], "requested": "2027-01-01"}


@pytest.mark.requirement("cacheable:private-and-short-lived")
@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (b'{"ttlMs":86400000,"cacheScope":"public","x":1.50}', (1000, "private")),
        (b'{"ttlMs":10,"cacheScope":"private"}', (10, "private")),
        (b'{"ttlMs":0}', (0, "private")),
        (b'{"ttlMs":-1,"cacheScope":"public"}', (0, "private")),
        (b'{"ttlMs":1.5e400}', (0, "private")),
        (b'{"ttlMs":99.9}', (99, "private")),
        (b'{"ttlMs":"long","cacheScope":7}', (0, "private")),
        (b'{"ttlMs":true}', (0, "private")),
        (b'{"ttlMs":null,"resultType":"complete"}', (0, "private")),
        (b'{"ttlMs":99999999999999999999999999}', (1000, "private")),
        (b'{"cacheScope":"private","cache\\u0053cope":"public","ttlMs":5,"ttlMs":9000}',
         (1000, "private")),
        (b"{}", (0, "private")),
    ],
)  # fmt: skip
def test_what_may_be_kept_is_private_and_short_lived(given: bytes, kept: tuple[int, str]) -> None:
    clamped = modern.clamped(given, 1000)
    found = json.loads(clamped, object_pairs_hook=list)

    assert (dict(found)["ttlMs"], dict(found)["cacheScope"]) == kept
    assert len(dict(found)) == len(found), "no name stands twice"
    assert b"1.50" not in given or b"1.50" in clamped


@pytest.mark.parametrize("kind", [b'"input_required"', b'"task"', b'"new"', b"7"])
def test_what_is_no_complete_result_is_left_as_it_is(kind: bytes) -> None:
    raw = b'{ "resultType" : %b, "cacheScope":"public" }' % kind

    assert modern.clamped(raw, 1000) is raw
