"""Questions of upstreams of either era, over either transport, as their connectors hand them on."""

import json
from typing import Any

import pytest

from mcp_gateway.core.asking import Question, Resumed
from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.wire import jsonrpc, modern
from tests.connectors.conftest import Around
from tests.connectors.http import Asked, connected, echo, raw_upstream, result
from tests.connectors.stdio import echo as said_to_child
from tests.connectors.stdio import speaking
from tests.connectors.test_mcp_stdio import MODERN

FORM = {"message": "Who?", "mode": "form", "requestedSchema": {"type": "object"}}
ASKS = {
    "resultType": "input_required",
    "inputRequests": {"who": {"method": "elicitation/create", "params": FORM}},
    "requestState": "the upstream's own",
}


@pytest.mark.requirement("questions:asked-is-decided-once")
async def test_a_result_that_asks_is_known_as_one_and_its_answer_brings_the_state_back(
    around: Around,
) -> None:
    async with (
        raw_upstream(lambda asked: result(asked, ASKS)) as upstream,
        connected(around, upstream.url) as connector,
    ):
        first = await connector.send(echo())
        answer = echo()
        answer.resumed = Resumed(parent="c-0", state="the upstream's own", server="up")
        await connector.send(answer)

    assert first.asked is not None
    assert first.asked.questions == {"who": Question("elicitation/create", _raw(FORM))}
    assert (first.asked.state, first.asked.parked) == ("the upstream's own", None)
    assert upstream.asked[-1].message["params"]["requestState"] == "the upstream's own"


@pytest.mark.requirement("questions:asked-is-decided-once")
async def test_a_server_of_the_initialize_era_asks_nothing_in_a_result(around: Around) -> None:
    async with (
        raw_upstream(lambda asked: result(asked, ASKS), "legacy") as upstream,
        connected(around, upstream.url) as connector,
    ):
        answer = await connector.send(echo())

    assert answer.asked is None
    assert answer.view()["resultType"] == "complete"


async def test_a_server_that_asks_as_nobody_can_answer_has_failed(around: Around) -> None:
    def say(asked: Asked) -> bytes:
        return result(asked, {**ASKS, "inputRequests": {"who": {"method": "tools/call"}}})

    async with (
        raw_upstream(say) as upstream,
        connected(around, upstream.url) as connector,
    ):
        with pytest.raises(UpstreamFailed, match="up asks as nobody can answer"):
            await connector.send(echo())


async def test_what_a_caller_can_answer_is_declared_upstream(around: Around) -> None:
    async with (
        raw_upstream(lambda asked: result(asked, {"content": []})) as upstream,
        connected(around, upstream.url) as connector,
    ):
        can: dict[str, Any] = {"elicitation": {"form": {}}, "roots": {"listChanged": True}}
        meta = {modern.META_CAPABILITIES: can}
        made = echo()
        made.outgoing = jsonrpc.body(_raw({"name": "x", "_meta": meta}))
        await connector.send(made)

    declared = upstream.asked[-1].message["params"]["_meta"][modern.META_CAPABILITIES]
    assert declared == {"elicitation": {"form": {}}, "roots": {}}


@pytest.mark.requirement("questions:asked-is-decided-once")
async def test_a_child_of_2026_07_28_asks_too(around: Around) -> None:
    program = MODERN.replace('answer(asked, "modern")', f'say(id=asked["id"], result={ASKS!r})')

    async with speaking(around, program, started=False) as connector:
        answer = await connector.send(said_to_child())

    assert answer.asked is not None
    assert set(answer.asked.questions) == {"who"}


def _raw(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
