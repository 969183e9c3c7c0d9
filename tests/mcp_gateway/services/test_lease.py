import asyncio
from collections.abc import Awaitable, Callable

import pytest

from mcp_gateway.core.asking import Parked
from mcp_gateway.core.body import Body
from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.services.lease import Leased
from tests.support.calls import resolved
from tests.support.fakes import FakeConnector, FakeParked, asking

Sent = Callable[[], Awaitable[Body]]


async def entered(leased: Leased) -> None:
    async with asyncio.timeout(5):
        while not leased._calls:
            await asyncio.sleep(0)


@pytest.mark.requirement("reload:servers")
async def test_a_connector_is_closed_once_the_last_call_on_it_has_ended() -> None:
    connector = FakeConnector(hangs=True)
    leased = Leased("desk", connector)
    first, second = (asyncio.ensure_future(leased.send(resolved())) for _ in range(2))
    await entered(leased)
    retiring = asyncio.ensure_future(leased.retire(grace=5))
    await asyncio.sleep(0)

    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    still = connector.closed
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    await retiring

    assert (still, connector.closed) == (False, True)


async def test_a_call_that_does_not_end_is_waited_for_within_a_bound() -> None:
    connector = FakeConnector(hangs=True)
    leased = Leased("desk", connector)
    call = asyncio.ensure_future(leased.send(resolved()))
    await entered(leased)

    await leased.retire(grace=0.01)

    assert connector.closed
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)


@pytest.mark.requirement("reload:servers")
async def test_a_call_that_comes_late_starts_nothing_again() -> None:
    connector = FakeConnector()
    leased = Leased("desk", connector)
    await leased.retire(grace=0)

    with pytest.raises(UpstreamFailed, match="desk was replaced") as refused:
        await leased.send(resolved())

    assert connector.received == []
    assert refused.value.retry_after == 1


async def test_what_is_asked_and_answered_passes_as_it_is() -> None:
    connector = FakeConnector()

    assert await Leased("desk", connector).send(resolved()) is connector.answer


async def _waiting(*answers: Body) -> tuple[Leased, FakeConnector, Parked, asyncio.Task[None]]:
    """A connector that was replaced while a request on it waits for an answer."""
    connector = FakeConnector(answers[0])
    leased = Leased("desk", connector)
    result = await leased.send(resolved())
    assert result.asked is not None
    assert result.asked.parked is not None
    retiring = asyncio.ensure_future(leased.retire(grace=5))
    await asyncio.sleep(0)
    assert not connector.closed
    return leased, connector, result.asked.parked, retiring


@pytest.mark.requirement("parks:hold-their-connector")
async def test_a_request_that_waits_for_its_answer_counts_as_a_call_until_it_has_it() -> None:
    inner = FakeParked()
    _, connector, parked, retiring = await _waiting(asking(inner))

    assert await parked.resume(resolved()) is inner.answer
    await retiring

    assert connector.closed


@pytest.mark.requirement("parks:hold-their-connector")
async def test_what_is_asked_next_counts_for_itself_and_is_given_up_once() -> None:
    last = FakeParked()
    leased, connector, parked, retiring = await _waiting(asking(FakeParked(asking(last))))

    again = (await parked.resume(resolved())).asked
    assert again is not None
    assert again.parked is not None
    await parked.abandon()
    await asyncio.sleep(0)
    assert (leased._calls, connector.closed) == (1, False)
    await again.parked.abandon()
    await again.parked.abandon()
    await retiring

    assert (connector.closed, leased._calls, last.abandoned) == (True, 0, 2)


async def test_an_answer_that_fails_gives_its_place_back() -> None:
    refusal = UpstreamFailed("away")
    _, connector, parked, retiring = await _waiting(asking(FakeParked(refusal=refusal)))

    with pytest.raises(UpstreamFailed):
        await parked.resume(resolved())
    await retiring

    assert connector.closed
