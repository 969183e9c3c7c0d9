"""A response read in pieces gives the result that it would have given whole, or is refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.wire import jsonrpc
from mcp_gateway.wire.envelope import MOST, Envelope, Trimmed

HEAD = b'"resultType":"complete"'
NAMES = st.text(min_size=1, max_size=5).filter(lambda name: name not in {"isError", "_meta"})
RESULTS = st.dictionaries(NAMES, st.text() | st.integers() | st.lists(st.booleans()), max_size=5)


def read(raw: bytes, step: int = 10_000, out: tuple[str, ...] = ()) -> tuple[Any, bool]:
    """The result, and whether its tool failed."""
    envelope = Envelope(b"7", HEAD, out)
    pieces = [envelope.feed(raw[at : at + step]) for at in range(0, len(raw), step)]
    return json.loads(b"".join([*pieces, envelope.end()])), envelope.failed


def response(result: bytes, *, before: bytes = b'"id":7,', after: bytes = b"") -> bytes:
    return b'{"jsonrpc":"2.0",%b"result":%b%b}' % (before, result, after)


@given(result=RESULTS, step=st.integers(1, 40), late=st.booleans())
def test_a_result_comes_through_in_any_cut(*, result: Any, step: int, late: bool) -> None:
    raw = jsonrpc.encode(result)
    whole = response(raw, before=b"", after=b',"id" : 7') if late else response(raw)

    assert read(whole, step) == ({"resultType": "complete", **result}, False)


@given(RESULTS, st.data())
def test_a_response_that_was_cut_has_no_end(result: Any, data: st.DataObject) -> None:
    raw = response(jsonrpc.encode(result))
    end = data.draw(st.integers(0, len(raw) - 1))
    envelope = Envelope(b"7", HEAD)

    envelope.feed(raw[:end])

    with pytest.raises(ValueError, match="whole"):
        envelope.end()


def test_members_of_other_names_are_replaced_by_the_head() -> None:
    raw = response(b'{"ttlMs":5,"a":1,"cacheScope":"public","resultType":"complete"}')

    assert read(raw, 3, ("ttlMs", "cacheScope"))[0] == {"resultType": "complete", "a": 1}


@pytest.mark.parametrize(("said", "failed"), [(b"true", True), (b"false", False), (b'"x"', False)])
def test_whether_the_tool_failed_is_known_at_the_end(said: bytes, *, failed: bool) -> None:
    result, seen = read(response(b'{"isError": %b,"_meta":{"a":1},"content":[]}' % said), 1)

    assert seen is failed
    assert result["isError"] == json.loads(said)
    assert list(result)[-2:] == ["isError", "_meta"]


@pytest.mark.parametrize(
    "raw",
    [
        response(b"{}", before=b'"id":8,'),
        response(b"{}", before=b"", after=b',"id":8'),
        response(b"{}", before=b"", after=b',"id":"7"'),
        response(b"{}", before=b""),
        response(b"{}", before=b'"id":7,"error":{},'),
        response(b"{}", before=b'"id":7,"method":"tools/call",'),
        response(b"{}").replace(b"2.0", b"1.0"),
        response(b"[]"),
        response(b"null"),
        response(b'{"resultType":"input_required"}'),
        response(b'{"resultType":"t\\u0061sk"}'),
        response(b'{"resultType":null}'),
        response(b'{"_meta":[]}'),
        response(b'{"_meta":{"a":"%b"}}' % (b"x" * MOST)),
        response(b"{}", after=b',"more":"%b"' % (b"x" * MOST)),
        b'{"jsonrpc":"2.0","id":7,"error":{"code":-1,"message":"no"}}',
        b'{"jsonrpc":"2.0","method":"notifications/message","params":{}}',
        response(b"{}") + b"{}",
    ],
)
def test_what_is_not_the_answer_to_this_request_is_refused(raw: bytes) -> None:
    for step in (1, len(raw)):
        with pytest.raises(ValueError, match=r"."):
            read(raw, step)


@given(st.dictionaries(st.sampled_from("abcd"), st.integers()), st.integers(1, 9))
def test_what_is_taken_out_is_kept_and_the_rest_has_its_commas(
    value: dict[str, int], step: int
) -> None:
    raw = json.dumps(value).encode()
    trimmed = Trimmed({"a", "c"})

    rest = b"".join(trimmed.feed(raw[at : at + step]) for at in range(0, len(raw), step))

    assert trimmed.done
    assert json.loads(b"{" + rest + b"}") == {k: v for k, v in value.items() if k in "bd"}
    taken = {name: json.loads(text) for name, text in trimmed.taken.items()}
    assert taken == {k: v for k, v in value.items() if k in "ac"}
