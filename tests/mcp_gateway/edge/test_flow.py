"""A result that is not held makes the same message as one that is."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.core.entry import Receipt
from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.edge.flow import Flow
from mcp_gateway.edge.refusals import RECEIPT
from mcp_gateway.wire import jsonrpc
from tests.support.calls import call
from tests.support.fakes import FakeStream

RESULT = {"resultType": "complete", "content": [{"type": "text", "text": "x"}], "_meta": {"a": 1}}
READ = {**RESULT, "ttlMs": 0, "cacheScope": "private"}


def pieces(result: Any, step: int = 5) -> list[bytes]:
    raw = jsonrpc.encode(result)
    return [raw[at : at + step] for at in range(0, len(raw), step)]


async def sent(
    result: Any, *, modern: bool, method: str = "tools/call", recorded: bool = True, step: int = 5
) -> dict[str, Any]:
    made = call(method)
    flow = Flow(made, b'"id-1"', FakeStream(pieces(result, step)), modern=modern)
    await flow.begin()
    parts = []
    async for piece in flow.pieces():
        parts.append(piece)
        made.receipt = Receipt("log", 7) if recorded else made.receipt
    found: dict[str, Any] = json.loads(b"".join(parts))
    return found


@pytest.mark.requirement("streams:large-results-pass")
@given(step=st.integers(1, 200))
async def test_it_is_the_answer_with_its_receipt_in_meta(step: int) -> None:
    message = await sent(RESULT, modern=True, step=step)

    receipt = {"log": "log", "index": 7, "call": "c-1"}
    expected = {**RESULT, "_meta": {"a": 1, RECEIPT: receipt}}
    assert message == {"jsonrpc": "2.0", "id": "id-1", "result": expected}


async def test_a_result_without_meta_gets_one() -> None:
    message = await sent({"resultType": "complete"}, modern=True)

    assert message["result"]["_meta"][RECEIPT]["index"] == 7


@pytest.mark.parametrize("result", [{}, {"_meta": {}}, {"a": 1}, RESULT])
async def test_without_a_record_nothing_is_added(result: Any) -> None:
    assert (await sent(result, modern=True, recorded=False))["result"] == result


@pytest.mark.parametrize(
    ("method", "left"), [("tools/call", {"ttlMs", "cacheScope"}), ("resources/read", set())]
)
async def test_of_a_legacy_answer_what_it_does_not_know_is_left_out(
    method: str, left: set[str]
) -> None:
    message = await sent(READ, modern=False, method=method)

    assert set(message["result"]) == {"content", "_meta", *left}


async def test_what_fails_before_anything_was_said_is_a_refusal() -> None:
    flow = Flow(call(), b"1", FakeStream([], breaks=UpstreamFailed("away")), modern=True)

    with pytest.raises(UpstreamFailed):
        await flow.begin()


async def test_what_is_left_is_closed() -> None:
    stream = FakeStream(pieces(RESULT))
    flow = Flow(call(), b"1", stream, modern=True)
    await flow.begin()

    await flow.aclose()

    assert (stream.given, stream.closed) == (1, 1)
