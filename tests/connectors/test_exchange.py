"""One request at an upstream, whatever carries it."""

import asyncio

import pytest

from connectors import abilities, dialect
from connectors.exchange import Exchange
from mcp_gateway.core.body import Body, Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.credential import CredentialRefused
from mcp_gateway.core.errors import Forbidden, UpstreamFailed, UpstreamTimedOut
from mcp_gateway.wire import jsonrpc
from tests.connectors.answering import asked_of, retry
from tests.connectors.http import echo, said
from tests.connectors.lines import Played
from tests.support.calls import Inbox
from tests.support.waiting import until

ANSWER = jsonrpc.result(b"1", b'{"content":[{"type":"text","text":"done"}]}')
ROOTS = jsonrpc.request(b"7", "roots/list", b"{}")
SAMPLING = jsonrpc.request(b"8", "sampling/createMessage", b"{}")
LOG = jsonrpc.notification("notifications/message", b'{"level":"info"}')


def settle(call: Call, answer: jsonrpc.Message) -> Result:
    return dialect.result("up", call.method, answer)


def exchange(line: Played, idle: float = 5) -> Exchange:
    return Exchange("up", line, settle, able=frozenset({abilities.ROOTS}), idle=idle)


async def test_the_answer_is_the_end() -> None:
    line = Played()
    line.says(ANSWER)

    assert said(await exchange(line).answered(echo())) == "done"
    assert (line.left, line.cancelled) == (1, 0)


@pytest.mark.requirement("questions:only-what-was-declared")
async def test_what_cannot_be_asked_is_refused_at_the_upstream_and_the_call_goes_on() -> None:
    line = Played()
    line.says(SAMPLING)
    answering = asyncio.ensure_future(exchange(line).answered(echo()))
    while not line.refusals:
        await asyncio.sleep(0)
    line.says(ANSWER)

    assert said(await answering) == "done"
    assert jsonrpc.decode(line.refusals[0])["id"] == 8
    assert line.parked == []


async def test_each_question_has_a_key_of_its_own_and_the_request_goes_on_after_it() -> None:
    line, made = Played(), echo()
    going = exchange(line)
    line.says(ROOTS)
    first = asked_of(await going.answered(made))
    line.says(ROOTS.replace(b"7", b"9"))
    assert first.parked is not None
    second = asked_of(await first.parked.resume(retry(made, {"roots-1": {"roots": []}})))
    assert second.parked is not None
    going_on = second.parked.resume(retry(made, {"roots-2": {"roots": []}}))
    resuming = asyncio.ensure_future(going_on)
    await until(lambda: len(line.replies) == 2)
    line.says(ANSWER)

    assert said(await resuming) == "done"
    assert line.parked == [b"7", b"9"]
    assert [jsonrpc.parse(raw).id for raw in line.replies] == [b"7", b"9"]
    assert (line.left, line.cancelled) == (1, 0)


async def test_what_is_quiet_for_too_long_is_cancelled() -> None:
    line = Played()
    with pytest.raises(UpstreamTimedOut):
        await exchange(line, idle=0.01).answered(echo())

    assert (line.left, line.cancelled) == (1, 1)


async def test_a_failure_and_a_message_that_may_not_pass_end_the_request() -> None:
    async def gate(message: Body) -> None:
        raise Forbidden("owed before the answer")

    failed, gated = Played(), Played()
    failed.heard.ended(UpstreamFailed("gone"))
    gated.says(LOG)
    with pytest.raises(UpstreamFailed):
        await exchange(failed).answered(echo())
    with pytest.raises(Forbidden):
        await exchange(gated).answered(echo(notify=gate, level="info"))

    assert (failed.left, gated.left) == (1, 1)
    assert (failed.cancelled, gated.cancelled) == (0, 1)


async def test_an_answer_that_is_not_taken_ends_the_request() -> None:
    line, made = Played(), echo()
    line.says(ROOTS)
    waiting = asked_of(await exchange(line).answered(made)).parked
    assert waiting is not None
    line.refusal = CredentialRefused()
    with pytest.raises(CredentialRefused):
        await waiting.resume(retry(made, {"roots-1": {"roots": []}}))

    assert line.left == 1


async def test_what_is_about_no_request_is_announced_and_not_passed_on() -> None:
    line, inbox = Played(), Inbox()
    for name in ("tools/list_changed", "resources/updated", "cancelled", "com.example/own"):
        line.says(jsonrpc.notification(f"notifications/{name}", b"{}"))
    line.says(ANSWER)
    await exchange(line).answered(echo(notify=inbox))

    assert line.announced == [
        "notifications/tools/list_changed",
        "notifications/resources/updated",
    ]
    assert [jsonrpc.parse(raw).method for raw in inbox.messages] == [
        "notifications/com.example/own"
    ]
