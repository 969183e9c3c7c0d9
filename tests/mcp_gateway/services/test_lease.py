import asyncio
from collections.abc import Awaitable, Callable

import pytest

from mcp_gateway.core.body import Body
from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.services.lease import Leased
from tests.support.calls import resolved
from tests.support.fakes import FakeConnector

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
