"""How a call ends on the wire: results, errors, faults, notifications, and who hangs up."""

import asyncio
import logging
from typing import Any

import pytest

from mcp_gateway.core.body import Body, Result
from mcp_gateway.core.call import Call, child_of
from mcp_gateway.core.errors import Forbidden, InsufficientScope
from mcp_gateway.edge import hangup
from tests.support.edge import (
    EdgeUnderTest,
    message,
    modern_headers,
    with_meta,
)
from tests.support.fakes import WHO, FakeParked, asking

ADD = {"name": "github__add", "arguments": {"a": 1}}


def _code(answered: Any) -> int:
    return int(answered.json()["error"]["code"])


@pytest.mark.requirement("identity:step-up")
@pytest.mark.parametrize("method", ["tools/call", "prompts/get", "tools/list"])
@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_a_missing_scope_is_a_403_with_a_challenge(method: str, era: str) -> None:
    edge = EdgeUnderTest()

    async def chain(call: Call) -> Result:
        raise InsufficientScope({"b"}, {"a", "b"})

    edge.chain = chain

    answered = await getattr(edge, era)(method, {"name": "x"})

    assert (answered.status, _code(answered)) == (403, -31056)
    challenge = answered.header(b"www-authenticate")
    assert challenge == b'Bearer error="insufficient_scope", scope="a b"'


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_a_denied_tool_is_a_result_and_a_denied_prompt_an_error(era: str) -> None:
    edge = EdgeUnderTest()

    async def chain(call: Call) -> Result:
        raise Forbidden("no", rule="r")

    edge.chain = chain

    tool = await getattr(edge, era)("tools/call", ADD)
    prompt = await getattr(edge, era)("prompts/get", {"name": "x"})

    assert tool.json()["result"]["isError"] is True
    assert (prompt.status, _code(prompt)) == (200, -31050)


@pytest.mark.requirement("edge:own-faults-stay-inside")
@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_a_fault_of_the_gateways_own_names_the_call_and_nothing_inside(
    era: str, caplog: pytest.LogCaptureFixture
) -> None:
    edge = EdgeUnderTest()

    async def chain(call: Call) -> Result:
        raise RuntimeError("secret inside")

    edge.chain = chain

    with caplog.at_level(logging.ERROR):
        answered = await getattr(edge, era)("tools/call", ADD)

    error = answered.json()["error"]
    assert (answered.status, error["code"]) == (200, -32603)
    assert edge.calls[0].id in error["message"]
    assert "secret" not in answered.body.decode()
    assert edge.calls[0].id in caplog.text


@pytest.mark.parametrize(
    ("code", "status"),
    [(-32601, 404), (-32602, 400), (-32020, 400), (-32021, 400), (-32022, 400), (-32603, 200),
     (-1, 200), (5, 200)],
)  # fmt: skip
async def test_an_error_of_the_upstreams_own_keeps_code_words_and_data(
    code: int, status: int
) -> None:
    edge = EdgeUnderTest()
    edge.result = Body(b'{"code":%d,"message":"its own","data":{"x":1}}' % code, failed=True)

    answered = await edge.modern("tools/call", ADD)

    assert answered.status == status
    assert answered.json()["error"] == {"code": code, "message": "its own", "data": {"x": 1}}
    assert "result" not in answered.json()


@pytest.mark.requirement("edge:progress-passes")
@pytest.mark.parametrize("era", ["modern", "legacy"])
@pytest.mark.parametrize("accept", [b"application/json, text/event-stream", b"application/json"])
async def test_notifications_come_before_the_answer_to_who_takes_them(
    era: str, accept: bytes
) -> None:
    edge = EdgeUnderTest()

    async def chain(call: Call) -> Result:
        await call.notify(Body(b'{"jsonrpc":"2.0","method":"notifications/progress"}'))
        return edge.result

    edge.chain = chain

    headers = [(b"accept", accept)]
    if era == "modern":
        answered = await edge.modern("tools/call", ADD, headers=headers)
    else:
        answered = await edge.ask(message("tools/call", ADD), headers=headers)

    if b"event-stream" in accept:
        events = answered.events()
        assert [("method" in event) for event in events] == [True, False]
        assert events[1]["id"] == 1
    else:
        assert answered.json()["id"] == 1


@pytest.mark.requirement("edge:hang-up-cancels")
@pytest.mark.parametrize(("era", "cancelled"), [("modern", True), ("legacy", False)])
async def test_hanging_up_cancels_in_the_era_in_which_it_is_said_to(
    era: str, *, cancelled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hangup, "WATCH_AFTER", 0.001)
    edge = EdgeUnderTest()
    ended: list[str] = []

    async def chain(call: Call) -> Result:
        try:
            await asyncio.sleep(0.1)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        ended.append("done")
        return edge.result

    edge.chain = chain
    if era == "modern":
        headers = modern_headers("tools/call", ADD)
        exchange = edge.exchange(message("tools/call", with_meta(ADD)), headers=headers)
    else:
        exchange = edge.exchange(message("tools/call", ADD))
    exchange.hang_up.set()

    await exchange.run(edge.app)

    assert ended == ["cancelled" if cancelled else "done"]


@pytest.mark.requirement("questions:not-to-older-callers")
async def test_a_caller_of_before_gets_no_result_that_asks_and_nothing_waits() -> None:
    edge, parked = EdgeUnderTest(), FakeParked()

    async def chain(call: Call) -> Result:
        call.children = (child_of(call, 1, WHO),)
        edge.parking.keep(call, parked)
        return asking(parked)

    edge.chain = chain

    answered = await edge.legacy("tools/call", ADD)
    await edge.parking.aclose()

    error = answered.json()["error"]
    assert (answered.status, error["code"]) == (200, -32021)
    assert error["data"]["requiredCapabilities"] == {"elicitation": {}}
    assert parked.abandoned == 1


async def test_a_caller_of_today_gets_the_question_as_it_came() -> None:
    edge = EdgeUnderTest()
    edge.result = asking()

    answered = await edge.modern("tools/call", ADD)

    asked = answered.json()["result"]
    assert asked["resultType"] == "input_required"
    assert asked["inputRequests"]["who"]["method"] == "elicitation/create"


@pytest.mark.requirement("parks:ended-by-name")
async def test_nothing_waits_for_a_caller_who_hung_up_before_they_were_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hangup, "WATCH_AFTER", 0.001)
    edge, parked = EdgeUnderTest(), FakeParked()

    async def chain(call: Call) -> Result:
        edge.parking.keep(call, parked)
        await asyncio.Event().wait()
        return asking(parked)

    edge.chain = chain
    headers = modern_headers("tools/call", ADD)
    exchange = edge.exchange(message("tools/call", with_meta(ADD)), headers=headers)
    exchange.hang_up.set()

    await exchange.run(edge.app)
    await edge.parking.aclose()

    assert parked.abandoned == 1
    assert edge.ledger.last.body["reason"] == "cancelled"
