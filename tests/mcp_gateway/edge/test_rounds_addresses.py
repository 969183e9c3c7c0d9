"""Addresses that a person shall open: an error of 2025-11-25, and the same call made again."""

import pytest

from mcp_gateway.core.errors import Forbidden
from mcp_gateway.wire import legacy
from tests.support.edge import EdgeUnderTest
from tests.support.legacy_client import (
    ADD,
    DONE,
    ROOTS,
    LegacyClient,
    Rounds,
    asking,
    page,
    text_of,
)


@pytest.mark.requirement("edge:addresses-to-open")
async def test_addresses_alone_are_an_error_and_the_same_call_again_goes_on() -> None:
    edge = EdgeUnderTest()
    chain = Rounds(edge, asking("sealed", log=page("https://a"), pay=page("https://b")), DONE)
    client = await LegacyClient.begun(edge)

    told = await client.call(1).answered()
    other = await client.call(2, {**ADD, "arguments": {"a": 2}}).answered()
    again = client.call(3, {**ADD, "_meta": {"progressToken": 3}})
    answer = await again.answered()
    fresh = await client.call(4).answered()

    given = told["error"]["data"]["elicitations"]
    first, another, third, fourth = (call.params.view() for call in chain.calls)
    assert told["error"]["code"] == -32042
    assert [(e["mode"], e["url"], e["message"]) for e in given] == [
        ("url", "https://a", "Log in"), ("url", "https://b", "Log in"),
    ]  # fmt: skip
    assert "inputResponses" not in {*first, *another, *fourth}
    assert chain.calls[2].parent == chain.calls[0].id
    assert third["requestState"] == "sealed"
    assert third["inputResponses"] == {"log": {"action": "accept"}, "pay": {"action": "accept"}}
    completed = [e for e in again.exchange.answered.events() if "method" in e]
    assert [e["method"] for e in completed] == ["notifications/elicitation/complete"] * 2
    assert [e["params"]["elicitationId"] for e in completed] == [e["elicitationId"] for e in given]
    assert all("result" in a for a in (other, answer, fresh))


@pytest.mark.requirement("edge:addresses-to-open")
async def test_a_call_that_was_never_made_again_is_given_up_for_newer_ones() -> None:
    edge = EdgeUnderTest()
    chain = Rounds(edge, asking(log=page()))
    client = await LegacyClient.begun(edge)
    for number in range(34):
        await client.call(number, {**ADD, "arguments": {"a": number}}).answered()

    assert chain.parks.ended == [(call.id, "unanswered") for call in chain.calls[:2]]


@pytest.mark.requirement("parks:end-with-their-caller")
async def test_a_call_again_that_is_refused_ends_what_it_was_to_go_on_with() -> None:
    edge = EdgeUnderTest()
    chain = Rounds(edge, asking(log=page()))
    chain.refusal = Forbidden("not now")
    client = await LegacyClient.begun(edge)
    await client.call(1).answered()

    answer = await client.call(2).answered()

    assert "not now" in text_of(answer)
    assert chain.parks.ended == [(chain.calls[0].id, "refused")]


@pytest.mark.requirement("edge:addresses-to-open")
async def test_the_end_of_a_session_gives_up_what_waits_for_its_addresses() -> None:
    edge = EdgeUnderTest()
    chain = Rounds(edge, asking(log=page()))
    client = await LegacyClient.begun(edge)
    await client.call().answered()

    await client.post(b"", method="DELETE").run(edge.app)

    assert chain.parks.ended == [(chain.calls[0].id, "cancelled")]


@pytest.mark.requirement("edge:addresses-to-open")
@pytest.mark.parametrize("revision", legacy.REVISIONS[:-1])
async def test_an_earlier_revision_is_told_the_address_in_words(revision: str) -> None:
    edge = EdgeUnderTest()
    chain = Rounds(edge, asking(log=page("https://example.com/login")))
    client = await LegacyClient.begun(edge, revision)

    answer = await client.call().answered()

    assert "https://example.com/login" in text_of(answer)
    assert chain.parks.ended == [(chain.calls[0].id, "cancelled")]


@pytest.mark.requirement("edge:addresses-to-open")
async def test_an_address_among_other_questions_is_asked_with_an_id() -> None:
    edge = EdgeUnderTest()
    Rounds(edge, asking(log=page("https://a"), where=ROOTS), DONE)
    client = await LegacyClient.begun(edge)

    under_way = client.call()
    first, second = await under_way.asked(1), await under_way.asked(2)
    await client.answer(first["id"], {"action": "accept"})
    await client.answer(second["id"], {"roots": []})

    assert "result" in await under_way.answered()
    assert first["params"]["url"] == "https://a"
    assert len(first["params"]["elicitationId"]) == 32
