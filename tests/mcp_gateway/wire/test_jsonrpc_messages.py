"""Messages that the gateway makes itself, and members that it looks at one by one."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.wire import jsonrpc

NAMES = st.text(max_size=5)
FIELDS = st.dictionaries(NAMES, st.integers() | st.text(max_size=5), max_size=5)


@given(st.integers() | st.text(max_size=10), st.text(min_size=1, max_size=10), FIELDS)
def test_what_is_made_is_read_as_it_was_meant(id_: int | str, method: str, params: Any) -> None:
    raw, number = json.dumps(params).encode(), json.dumps(id_).encode()

    request = jsonrpc.parse(jsonrpc.request(number, method, raw))
    told = jsonrpc.parse(jsonrpc.notification(method, raw))
    answer = jsonrpc.parse(jsonrpc.result(number, raw))

    assert (request.id, request.method, request.params.view()) == (number, method, params)
    assert (told.id, told.method, told.params.view()) == (b"", method, params)
    assert (answer.id, answer.method, json.loads(answer.result)) == (number, "", params)


@pytest.mark.parametrize("data", [None, {"rule": "no-delete"}])
def test_an_error_has_a_code_words_and_what_there_is_beside(data: dict[str, str] | None) -> None:
    found = json.loads(jsonrpc.error(b'"7"', -32602, "no tool is called 'x'", data))

    expected: dict[str, Any] = {"code": -32602, "message": "no tool is called 'x'"}
    assert found == {
        "jsonrpc": "2.0",
        "id": "7",
        "error": expected if data is None else {**expected, "data": data},
    }


def test_an_answer_to_nothing_that_has_an_id_is_for_null() -> None:
    assert json.loads(jsonrpc.error_raw(b"", b"{}"))["id"] is None
    assert json.loads(jsonrpc.result(b"", b"{}"))["id"] is None


@given(FIELDS, NAMES)
def test_a_member_that_is_taken_out_leaves_the_others_alone(fields: Any, name: str) -> None:
    made = jsonrpc.replaced(json.dumps(fields).encode(), {name: None})

    assert json.loads(made) == {key: value for key, value in fields.items() if key != name}


def test_what_is_not_decoded_stays_byte_by_byte() -> None:
    raw = b'{"name":"x","arguments":{ "b" : 1.0, "a":"\\u00e9" , "n":1e400 }}'

    made = jsonrpc.replaced(raw, {"name": b'"y"'})

    assert made == raw.replace(b'"x"', b'"y"')


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"1", b'{"a":}', b'{"a":1', b'{"a":1}{"a":2}', b"\xff"]
)
def test_what_is_no_object_has_no_members(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        jsonrpc.members(raw)


@pytest.mark.parametrize("raw", [b"{", b"nul", b"[" * 100_000, b'"\xff"', b'"\\ud800"'])
def test_what_is_no_json_cannot_be_decoded(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        jsonrpc.decode(raw)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"7", jsonrpc.INVALID_REQUEST),
        (b'"{}"', jsonrpc.INVALID_REQUEST),
        (b'{"jsonrpc":2,"id":1,"method":"a"}', jsonrpc.INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"method":""}', jsonrpc.INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"method":"\\ud800"}', jsonrpc.PARSE_ERROR),
        (b'{"jsonrpc":"2.0","id":1,"method":7}', jsonrpc.INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":true,"method":"a"}', jsonrpc.INVALID_REQUEST),
        (b' \n[{"jsonrpc":"2.0","id":1,"method":"a"}]', jsonrpc.INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"method":"a","params":{"x":"\xff"}}', jsonrpc.PARSE_ERROR),
        (b'{"jsonrpc":"2.0","id":1,"method":"a","params":{"x":"\\ud800"}}', jsonrpc.PARSE_ERROR),
        (b'{"jsonrpc":"2.0","id":1,"method":"a","params":7}', jsonrpc.INVALID_PARAMS),
    ],
)
def test_a_message_of_another_shape_is_refused_with_its_code(raw: bytes, code: int) -> None:
    with pytest.raises(jsonrpc.Malformed) as refused:
        jsonrpc.parse(raw)

    assert refused.value.code == code


@pytest.mark.parametrize("params", [b"", b',"params":null', b',"params":{}'])
def test_no_params_are_empty_ones(params: bytes) -> None:
    message = jsonrpc.parse(b'{"jsonrpc":"2.0","id":1,"method":"ping"%b}' % params)

    assert (message.params.raw, message.params.view()) == (b"{}", {})


def test_names_of_lists_within_lists_are_counted() -> None:
    raw = b'{"jsonrpc":"2.0","id":1,"method":"a","params":{"x":[[{"y":1,"z":[{"y":2}]}]]}}'
    assert jsonrpc.parse(raw).params.view()["x"]

    with pytest.raises(jsonrpc.Malformed, match="twice"):
        jsonrpc.parse(raw.replace(b'"z"', b'"y"'))
