"""What nobody can answer any more does not wait at its upstream."""

import asyncio

import pytest

from mcp_gateway.core.errors import Blocked
from mcp_gateway.edge import hangup
from mcp_gateway.wire import legacy
from tests.support.edge import EdgeUnderTest
from tests.support.fakes import FakeParked
from tests.support.legacy_client import DONE, NAME, ROOTS, LegacyClient, Rounds, asking, text_of

ACCEPTED = {"action": "accept", "content": {"name": "Ada"}}


@pytest.mark.requirement("parks:end-with-their-caller")
async def test_a_refused_answer_of_a_session_ends_what_it_was_to_answer() -> None:
    edge = EdgeUnderTest()
    chain = Rounds(edge, asking(parked=FakeParked(), one=NAME))
    chain.refusal = Blocked("a secret")
    client = await LegacyClient.begun(edge)
    under_way = client.call()

    await client.answer((await under_way.asked())["id"], ACCEPTED)
    answer = await under_way.answered()

    assert "a secret" in text_of(answer)
    assert chain.parks.ended == [(chain.calls[0].id, "refused")]


@pytest.mark.requirement("parks:end-with-their-caller")
async def test_who_cancels_on_the_way_of_the_answer_ends_what_it_was_to_answer() -> None:
    edge = EdgeUnderTest()
    chain = Rounds(edge, asking(parked=FakeParked(), one=NAME))
    chain.stuck = asyncio.Event()
    client = await LegacyClient.begun(edge)
    under_way = client.call(7)
    await client.answer((await under_way.asked())["id"], ACCEPTED)
    await chain.stuck.wait()

    await client.say("notifications/cancelled", {"requestId": 7})
    answer = await under_way.answered()

    assert answer["error"]["code"] == -31059
    assert chain.parks.ended == [(chain.calls[0].id, "cancelled")]


@pytest.mark.requirement("parks:end-with-their-caller")
@pytest.mark.parametrize("revision", legacy.REVISIONS)
async def test_a_stream_that_breaks_while_its_client_is_asked_ends_it_where_none_resumes(
    monkeypatch: pytest.MonkeyPatch, revision: str
) -> None:
    monkeypatch.setattr(hangup, "WATCH_AFTER", 0)
    edge = EdgeUnderTest()
    chain = Rounds(edge, asking(parked=FakeParked(), one=ROOTS), DONE)
    client = await LegacyClient.begun(edge, revision)
    under_way = client.call(7)
    asked = await under_way.asked()

    under_way.exchange.hang_up.set()
    for _ in range(10):  # as long as it takes to see it, where it is looked for
        await client.ask("ping", {})
    await client.answer(asked["id"], {"roots": []})
    await under_way.task

    ended = [(chain.calls[0].id, "cancelled")] if revision == legacy.OLDEST else []
    assert chain.parks.ended == ended
    assert len(chain.calls) == (1 if ended else 2)
