"""A client is told what its upstream does not ask any more."""

import pytest

from mcp_gateway.wire import legacy
from tests.support.edge import EdgeUnderTest
from tests.support.fakes import FakeParked
from tests.support.legacy_client import DONE, NAME, ROOTS, LegacyClient, Rounds, asking

ACCEPTED = {"action": "accept", "content": {"name": "Ada"}}


@pytest.mark.requirement("questions:taken-back-are-told-and-recorded")
@pytest.mark.parametrize("revision", legacy.REVISIONS)
async def test_a_client_is_told_what_its_upstream_does_not_ask_any_more_and_hears_the_result(
    revision: str,
) -> None:
    edge = EdgeUnderTest()
    chain = Rounds(edge, asking(parked=FakeParked(), one=NAME), DONE)
    client = await LegacyClient.begun(edge, revision)
    under_way = client.call()
    asked = await under_way.asked()

    chain.parks.waiting[chain.calls[0].id].set()
    cancelled = await under_way.said("notifications/cancelled")
    answer = await under_way.answered()
    late = await client.answer(asked["id"], ACCEPTED)

    first, second = chain.calls
    assert cancelled["params"] == {"requestId": asked["id"]}
    assert answer["result"] == {"content": []}
    assert second.parent == first.id
    assert second.params.view()["inputResponses"] == {}
    assert (late.status, len(chain.calls), chain.parks.ended) == (202, 2, [])


@pytest.mark.requirement("questions:taken-back-are-told-and-recorded")
async def test_what_is_asked_instead_of_what_was_taken_back_is_asked_too() -> None:
    edge = EdgeUnderTest()
    chain = Rounds(
        edge,
        asking(parked=FakeParked(), one=NAME),
        asking(parked=FakeParked(), two=ROOTS),
        DONE,
    )
    client = await LegacyClient.begun(edge)
    under_way = client.call()
    await under_way.asked()

    chain.parks.waiting[chain.calls[0].id].set()
    instead = await under_way.asked(2)
    await client.answer(instead["id"], {"roots": []})
    await under_way.answered()

    assert instead["method"] == "roots/list"
    assert chain.calls[2].params.view()["inputResponses"] == {"two": {"roots": []}}
