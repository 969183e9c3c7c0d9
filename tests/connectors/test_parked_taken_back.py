"""Questions that their upstream takes back, or whose call ends without the answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest

from mcp_gateway.core.asking import Parked
from mcp_gateway.core.call import Call
from mcp_gateway.core.errors import QuestionExpired
from mcp_gateway.wire import jsonrpc
from tests.connectors.answering import able, asked_of, retry
from tests.connectors.conftest import Around
from tests.connectors.http import Asked, answer_of, connected, echo, raw_upstream, said
from tests.connectors.parking import KEYED, QUESTION, asks, parked, replies
from tests.support.waiting import until

WITHDRAWN: Final = jsonrpc.notification("notifications/cancelled", b'{"requestId":"q-1"}')


@asynccontextmanager
async def taken_back(around: Around) -> AsyncIterator[tuple[Call, Asked, Parked]]:
    """A call whose upstream asked, and took its question back; and its request there."""
    async with raw_upstream(asks, era="legacy") as up, connected(around, up.url) as connector:
        made = able(echo())
        waiting = await parked(connector, made)
        (request,) = up.of("tools/call")
        request.say(jsonrpc.notification("notifications/cancelled", b'{"requestId":"other"}'))
        request.say(WITHDRAWN)
        assert await waiting.fate() == "taken_back"
        yield made, request, waiting
        assert replies(up) == []


@pytest.mark.requirement("questions:taken-back")
async def test_an_answer_to_a_question_that_was_taken_back_is_expired_and_ends_the_request(
    around: Around,
) -> None:
    async with taken_back(around) as (made, _, waiting):
        with pytest.raises(QuestionExpired, match="taken its question back"):
            await waiting.resume(retry(made, KEYED))

        assert not waiting._exchange.line._session._lines  # type: ignore[attr-defined]


@pytest.mark.requirement("questions:taken-back")
async def test_who_answers_nothing_waits_for_the_result_of_the_call(around: Around) -> None:
    async with taken_back(around) as (made, request, waiting):
        resuming = asyncio.ensure_future(waiting.resume(retry(made, {})))
        request.say(answer_of(request, "without you"))

        assert said(await resuming) == "without you"


@pytest.mark.requirement("questions:taken-back")
async def test_what_is_asked_instead_is_asked_next(around: Around) -> None:
    async with taken_back(around) as (made, request, waiting):
        request.say(QUESTION.replace(b"q-1", b"q-2"))

        asked = asked_of(await waiting.resume(retry(made, {})))

        assert list(asked.questions) == ["elicitation-2"]
        assert asked.parked is not None
        await asked.parked.abandon()


@pytest.mark.requirement("questions:taken-back")
@pytest.mark.parametrize("answers", [KEYED, {}], ids=["an answer", "none"])
@pytest.mark.parametrize("withdrawn", [True, False])
async def test_a_call_that_ended_while_it_was_asked_has_its_own_result(
    around: Around, answers: dict[str, Any], *, withdrawn: bool
) -> None:
    async with raw_upstream(asks, era="legacy") as up, connected(around, up.url) as connector:
        made = able(echo())
        waiting = await parked(connector, made)
        (request,) = up.of("tools/call")
        if withdrawn:
            request.say(WITHDRAWN)
        request.say(answer_of(request, "without you"))
        await until(lambda: waiting._exchange.line.over)  # type: ignore[attr-defined]

        assert await waiting.fate() == "answered"
        assert said(await waiting.resume(retry(made, answers))) == "without you"
        assert replies(up) == []
        assert up.of("notifications/cancelled") == []


@pytest.mark.requirement("questions:abandoned-is-cancelled")
async def test_a_call_that_has_ended_is_not_cancelled_when_nobody_comes_for_it(
    around: Around,
) -> None:
    async with raw_upstream(asks, era="legacy") as up, connected(around, up.url) as connector:
        waiting = await parked(connector, able(echo()))
        (request,) = up.of("tools/call")
        request.say(answer_of(request, "without you"))
        assert await waiting.fate() == "answered"

        await waiting.abandon()

        assert not waiting._exchange.line._session._lines  # type: ignore[attr-defined]
        assert up.of("notifications/cancelled") == []


@pytest.mark.requirement("questions:taken-back")
async def test_an_error_that_ends_the_call_while_it_is_asked_is_its_own_too(
    around: Around,
) -> None:
    async with raw_upstream(asks, era="legacy") as up, connected(around, up.url) as connector:
        made = able(echo())
        waiting = await parked(connector, made)
        (request,) = up.of("tools/call")
        request.say(jsonrpc.error(request.id, -32000, "you took too long"))

        assert await waiting.fate() == "answered"
        result = await waiting.resume(retry(made, KEYED))

    assert result.failed
    assert b"you took too long" in result.raw
