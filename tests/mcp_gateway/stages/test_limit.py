import contextlib

import pytest

from mcp_gateway.core.asking import Resumed
from mcp_gateway.core.body import Body
from mcp_gateway.core.call import Call
from mcp_gateway.core.decision import LIMIT
from mcp_gateway.core.errors import Forbidden, Throttled
from mcp_gateway.stages.limit import Limit
from tests.mcp_gateway.stages.contract import check
from tests.support.calls import Rest, resolved
from tests.support.fakes import FakeLimiter


async def test_limit_changes_only_what_it_sets() -> None:
    await check(Limit(FakeLimiter()), resolved())


async def test_a_call_within_its_limits_goes_on_having_been_counted() -> None:
    limiter, rest = FakeLimiter(), Rest()
    await Limit(limiter)(resolved(), rest)
    assert limiter.entered == 1
    assert LIMIT in rest.calls[0].discharged


@pytest.mark.requirement("limit:over-the-limit-never-leaves")
async def test_a_call_over_its_limits_goes_no_further_and_still_owes() -> None:
    rest, made = Rest(), resolved()
    with pytest.raises(Throttled) as caught:
        await Limit(FakeLimiter(full=True))(made, rest)
    assert caught.value.retry_after == 1.5
    assert rest.calls == []
    assert LIMIT not in made.discharged


@pytest.mark.parametrize("refusal", [None, Forbidden("no"), ZeroDivisionError()])
async def test_a_place_is_given_back_however_the_call_ends(refusal: Exception | None) -> None:
    limiter = FakeLimiter()
    with contextlib.suppress(Forbidden, ZeroDivisionError):
        await Limit(limiter)(resolved(), Rest(refusal=refusal))
    assert limiter.held == []


async def test_the_place_is_held_while_the_call_runs() -> None:
    limiter, held = FakeLimiter(), list[str]()

    async def rest(call: Call) -> Body:
        held.extend(limiter.held)
        return call.params

    await Limit(limiter)(resolved(), rest)
    assert held == ["c-1"]


@pytest.mark.requirement("handles:charged-once")
async def test_an_answer_to_a_question_is_charged_nothing_while_it_is_free() -> None:
    limiter, rest, free, charged = FakeLimiter(), Rest(), resolved(), resolved()
    free.resumed, charged.resumed = Resumed(parent="c-0", free=True), Resumed(parent="c-0")

    await Limit(FakeLimiter(full=True))(free, rest)
    await Limit(limiter)(charged, rest)

    assert limiter.entered == 1
    assert all(LIMIT in made.discharged for made in rest.calls)
