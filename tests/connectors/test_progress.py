"""Progress tokens, out and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.progress import about, renumbered, returned, token_of
from mcp_gateway.wire import jsonrpc

TOKENS = st.integers(-(2**53), 2**53) | st.text()


@given(TOKENS, st.integers(1, 10**9))
@pytest.mark.requirement("edge:progress-passes")
def test_a_token_comes_back_as_it_went_whatever_it_is(token: int | str, number: int) -> None:
    id_ = b"%d" % number
    params = jsonrpc.encode({"name": "x", "_meta": {"progressToken": token, "a/b": 1}})

    out = renumbered(params, id_)
    back = returned(jsonrpc.encode({"progressToken": number, "progress": 1}), token_of(params))

    assert jsonrpc.decode(out) == {"name": "x", "_meta": {"progressToken": number, "a/b": 1}}
    assert jsonrpc.decode(back.raw)["params"] == {"progressToken": token, "progress": 1}
    assert about(jsonrpc.encode({"progressToken": number})) == id_


@pytest.mark.parametrize(
    "params",
    [
        b"{}",
        b'{"_meta":{}}',
        b'{"_meta":null}',
        b'{"_meta":7}',
        b'{"arguments":{"progressToken":1}}',
        b'{"progressToken":1}',
        b'{"_meta":{"text":"\\u0041"}}',
    ],
)
def test_where_there_is_no_token_nothing_is_changed(params: bytes) -> None:
    assert token_of(params) == b""
    assert renumbered(params, b"7") == params


def test_a_name_that_is_written_in_escapes_is_the_same_name() -> None:
    params = b'{"_meta":{"progress\\u0054oken":"mine"}}'

    assert token_of(params) == b'"mine"'
    assert jsonrpc.decode(renumbered(params, b"7")) == {"_meta": {"progressToken": 7}}


def test_a_notification_that_names_no_token_is_about_nothing() -> None:
    assert about(b'{"progress":1}') == b""
