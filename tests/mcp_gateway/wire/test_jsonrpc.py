"""The envelope is read once, and what is in it stays as it came."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.wire import jsonrpc

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_any_params_pass_byte_by_byte(params: dict[str, Any]) -> None:
    raw = json.dumps(params).encode()
    message = jsonrpc.parse(jsonrpc.request(b"1", "tools/call", raw))

    assert message.params.raw == raw
    assert message.params.view() == params


@given(st.dictionaries(st.text(), JSON, max_size=5), JSON)
def test_a_member_that_is_set_leaves_the_others_alone(fields: dict[str, Any], new: Any) -> None:
    raw = json.dumps(fields).encode()

    made = jsonrpc.replaced(raw, {"name": jsonrpc.encode(new)})

    assert json.loads(made) == {**fields, "name": new}


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_a_receipt_is_added_and_nothing_else_changes(fields: dict[str, Any]) -> None:
    fields.pop("_meta", None)
    made = jsonrpc.with_meta(json.dumps(fields).encode(), "receipt", b"7")

    assert json.loads(made) == {**fields, "_meta": {"receipt": 7}}


@pytest.mark.requirement("edge:receipts-cannot-be-forged")
@pytest.mark.parametrize("name", ['"_meta"', '"\\u005fmeta"', '"\\u005Fm\\u0065ta"'])
def test_an_upstream_cannot_bring_a_receipt_of_its_own(name: str) -> None:
    raw = b'{"content":[],%b:{"receipt":666,"kept":1}}' % name.encode()

    pairs = json.loads(jsonrpc.with_meta(raw, "receipt", b"7"), object_pairs_hook=list)

    assert [value for key, value in pairs if key == "_meta"] == [[("receipt", 7), ("kept", 1)]]


@pytest.mark.requirement("edge:one-reading-of-a-call")
@pytest.mark.parametrize(
    "raw",
    [
        b'{"jsonrpc":"2.0","id":1,"method":"a","method":"b"}',
        b'{"jsonrpc":"2.0","id":1,"method":"a","params":{},"params":{"x":1}}',
        b'{"jsonrpc":"2.0","id":1,"method":"a","params":{"x":1,"x":2}}',
        b'{"jsonrpc":"2.0","id":1,"method":"a","params":{"x":{"y":":","\\u0079":2}}}',
        b'{"jsonrpc":"2.0","id":1,"method":"a","other":{"x":1},"other":2}',
    ],
)
def test_a_name_that_stands_twice_is_refused(raw: bytes) -> None:
    with pytest.raises(jsonrpc.Malformed, match="twice"):
        jsonrpc.parse(raw)


@pytest.mark.requirement("edge:one-reading-of-a-call")
@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_what_nobody_could_walk_is_refused_before_it_is_a_call(opening: bytes) -> None:
    def nested(levels: int) -> bytes:
        closing = b"]" if opening == b"[" else b"}"
        value = opening * levels + b"1" + closing * levels
        return jsonrpc.request(b"1", "tools/call", b'{"arguments":%b}' % value)

    flat = jsonrpc.request(b"1", "tools/call", b'{"arguments":[%b]}' % b",".join([b"[1]"] * 999))

    assert jsonrpc.parse(flat).method == "tools/call"
    assert jsonrpc.parse(nested(jsonrpc.DEEPEST - 1)).method == "tools/call"
    with pytest.raises(jsonrpc.Malformed, match="nested deeper"):
        jsonrpc.parse(nested(jsonrpc.DEEPEST))


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", jsonrpc.PARSE_ERROR),
        (b"{", jsonrpc.PARSE_ERROR),
        (b"[]", jsonrpc.INVALID_REQUEST),
        (b'{"id":1,"method":"a"}', jsonrpc.INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":{},"method":"a"}', jsonrpc.INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1}', jsonrpc.INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"method":"a","params":[]}', jsonrpc.INVALID_PARAMS),
        (b'{"jsonrpc":"2.0","id":1,"method":"a","params":' + b"[" * 99_999, jsonrpc.PARSE_ERROR),
    ],
)
def test_what_is_no_message_is_refused_with_its_code(raw: bytes, code: int) -> None:
    with pytest.raises(jsonrpc.Malformed) as refused:
        jsonrpc.parse(raw)

    assert refused.value.code == code


@pytest.mark.parametrize("own", [b"", b'"servers":{"a":"ok"}'])
def test_what_begins_with_its_meta_takes_more_without_being_read(own: bytes) -> None:
    raw = b'{"_meta":{%b},"tools":[{"_meta":{}, "x" : "\\u0000"}]}' % own

    found = jsonrpc.with_first_meta(raw, "receipt", b'{"index":7}')

    assert found.endswith(b',"tools":[{"_meta":{}, "x" : "\\u0000"}]}')
    assert json.loads(found)["_meta"]["receipt"] == {"index": 7}
    assert (json.loads(found)["_meta"].get("servers") is None) == (not own)


@pytest.mark.requirement("wire:any-bytes")
@pytest.mark.parametrize(
    "member",
    [b'"result":{"\x80content":1}', b'"result":{"a":"\xff"}', b'"error":{"message":"\xc3"}'],
)
def test_an_answer_that_is_not_utf8_is_malformed_wherever_that_stands(member: bytes) -> None:
    with pytest.raises(jsonrpc.Malformed) as error:
        jsonrpc.parse(b'{"jsonrpc":"2.0","id":7,%b}' % member)

    assert error.value.code == jsonrpc.PARSE_ERROR
