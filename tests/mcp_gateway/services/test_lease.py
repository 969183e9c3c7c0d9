import asyncio
from collections.abc import Awaitable, Callable

import pytest

from mcp_gateway.core.asking import NOT_OFFERED, Offered, Parked
from mcp_gateway.core.body import Body
from mcp_gateway.core.credential import NONE, CredentialRefused
from mcp_gateway.core.errors import (
    Refusal,
    ResultTooLarge,
    UpstreamBusy,
    UpstreamFailed,
    UpstreamTimedOut,
)
from mcp_gateway.services.lease import Leased
from tests.support.calls import resolved
from tests.support.fakes import FakeConnector, FakeParked, FakeStream, asking

Sent = Callable[[], Awaitable[Body]]


async def entered(leased: Leased) -> None:
    async with asyncio.timeout(5):
        while not leased.admission.inside:
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


@pytest.mark.requirement("reload:servers")
@pytest.mark.parametrize("read", [True, False])
async def test_a_connector_is_not_closed_while_its_result_still_arrives(*, read: bool) -> None:
    stream = FakeStream([b"{", b"}"])
    connector = FakeConnector(answer=Body(b"", stream=stream))
    leased = Leased("desk", connector)
    result = await leased.send(resolved())
    assert result.stream is not None
    retiring = asyncio.ensure_future(leased.retire(grace=5))
    await asyncio.sleep(0.01)
    still = connector.closed

    if read:
        assert [piece async for piece in result.stream.chunks()] == [b"{", b"}"]
    await result.stream.aclose()
    await result.stream.aclose()
    await retiring

    assert (still, connector.closed) == (False, True)
    assert stream.closed


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
    assert (leased.admission.inside, connector.closed) == (1, False)
    await again.parked.abandon()
    await again.parked.abandon()
    await retiring

    assert (connector.closed, leased.admission.inside, last.abandoned) == (True, 0, 2)


@pytest.mark.requirement("questions:taken-back")
async def test_what_has_been_answered_meanwhile_counts_no_more() -> None:
    inner = FakeParked()
    leased, connector, parked, retiring = await _waiting(asking(inner))

    inner.becomes("answered")
    assert await parked.fate() == "answered"
    await retiring

    assert (connector.closed, leased.admission.inside) == (True, 0)
    assert await parked.resume(resolved()) is inner.answer
    assert leased.admission.inside == 0


async def test_what_is_taken_back_goes_on_and_counts() -> None:
    inner = FakeParked()
    leased, _, parked, retiring = await _waiting(asking(inner))

    inner.becomes("taken_back")
    assert await parked.fate() == "taken_back"

    assert leased.admission.inside == 1
    await parked.abandon()
    await retiring


async def test_an_answer_that_fails_gives_its_place_back() -> None:
    refusal = UpstreamFailed("away")
    _, connector, parked, retiring = await _waiting(asking(FakeParked(refusal=refusal)))

    with pytest.raises(UpstreamFailed):
        await parked.resume(resolved())
    await retiring

    assert connector.closed


def leased(connector: FakeConnector, most: int = 1, queue: int = 0, breaker: int = 2) -> Leased:
    made = Leased("desk", connector)
    made.admission.limit(most, queue, breaker)
    return made


@pytest.mark.requirement("upstreams:bulkhead-and-queue")
async def test_what_finds_no_place_is_not_sent_and_other_upstreams_do_not_notice() -> None:
    busy, other = leased(FakeConnector(hangs=True)), leased(FakeConnector())
    there = asyncio.ensure_future(busy.send(resolved()))
    await entered(busy)

    with pytest.raises(UpstreamBusy):
        await busy.send(resolved())
    assert await other.send(resolved())

    there.cancel()
    await asyncio.gather(there, return_exceptions=True)
    assert busy.admission.inside == 0


@pytest.mark.requirement("upstreams:breaker")
@pytest.mark.parametrize("failure", [UpstreamFailed("away"), UpstreamTimedOut("slow")])
async def test_an_upstream_that_fails_on_and_on_is_left_alone_until_it_lists_again(
    failure: Refusal,
) -> None:
    connector = FakeConnector(refusal=failure)
    desk = leased(connector)
    for _ in range(2):
        with pytest.raises(type(failure)):
            await desk.send(resolved())
    with pytest.raises(UpstreamBusy, match="2 times in a row"):
        await desk.send(resolved())
    connector.refusal = None
    await desk.discover(NONE)

    assert await desk.send(resolved()) is connector.answer
    assert (desk.admission.failures, desk.admission.inside, len(connector.received)) == (0, 0, 3)


@pytest.mark.parametrize("failure", [CredentialRefused(), ResultTooLarge("too much")])
async def test_an_upstream_that_answers_has_not_failed(failure: Exception) -> None:
    desk = leased(FakeConnector(refusal=failure))
    for _ in range(4):
        with pytest.raises(type(failure)):
            await desk.send(resolved())

    assert (desk.admission.failures, desk.admission.inside) == (0, 0)


@pytest.mark.requirement("upstreams:sent-again-only-when-safe")
async def test_a_call_that_did_not_leave_is_sent_again_in_the_same_place() -> None:
    connector = FakeConnector(refusal=UpstreamFailed("no connection", sent=False))
    desk, call = leased(connector), resolved()

    with pytest.raises(UpstreamFailed):
        await desk.send(call)

    assert (len(connector.received), call.attempts, desk.admission.failures) == (2, 1, 1)


async def test_an_error_of_the_upstreams_own_is_heard_of() -> None:
    failed = Body(b'{"code":-32602,"message":"no"}', failed=True)
    desk, heard = leased(FakeConnector(answer=failed)), list[Body]()
    desk.refused = lambda _, result: heard.append(result)

    assert await desk.send(resolved()) is failed
    assert heard == [failed]


async def test_what_an_upstream_offers_is_passed_on() -> None:
    offered = Offered("modern", {"tools": b"{}"})

    assert Leased("desk", FakeConnector(offered=offered)).offered is offered
    assert Leased("desk", FakeConnector()).offered is NOT_OFFERED


@pytest.mark.requirement("upstreams:bulkhead-and-queue")
async def test_what_waits_for_its_callers_holds_half_of_the_places_and_no_more() -> None:
    desk = leased(FakeConnector(), most=4)
    parks = [FakeParked() for _ in range(3)]
    connector = desk._connector
    assert isinstance(connector, FakeConnector)
    kept = []
    for park in parks[:2]:
        connector.answer = asking(park)
        kept.append(await desk.send(resolved()))
    connector.answer = asking(parks[2])

    with pytest.raises(UpstreamBusy, match="waits for 2 answers") as refused:
        await desk.send(resolved())
    held = desk.admission.inside
    for result in kept:
        assert result.asked is not None
        assert result.asked.parked is not None
        await result.asked.parked.abandon()

    assert (refused.value.sent, parks[2].abandoned) == (True, 1)
    assert (held, desk.admission.inside) == (2, 0)
