"""What an upstream asks is asked of the client, and each answer makes a call of its own."""

import json
from dataclasses import replace
from typing import Any

import pytest

from mcp_gateway.config import SessionsSection
from mcp_gateway.core.asking import Question
from mcp_gateway.core.body import Body, Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.errors import Forbidden
from mcp_gateway.core.snapshot import ApiKey, Keyring
from mcp_gateway.edge import rounds
from mcp_gateway.store.keys import digest_of
from mcp_gateway.wire import legacy
from tests.support.calls import ALICE
from tests.support.edge import BOB, KEYS, EdgeUnderTest
from tests.support.legacy_client import (
    ADD,
    DONE,
    NAME,
    ROOTS,
    LegacyClient,
    Rounds,
    asking,
    text_of,
)

ACCEPTED = {"action": "accept", "content": {"name": "Ada"}}


@pytest.mark.requirement("edge:clients-are-asked")
@pytest.mark.parametrize("revision", legacy.REVISIONS)
@pytest.mark.parametrize(
    ("question", "said"),
    [
        (NAME, ACCEPTED),
        (Question("sampling/createMessage", b'{"messages":[],"maxTokens":5}'), {"model": "m"}),
        (ROOTS, {"roots": [{"uri": "file:///a"}]}),
    ],
)
async def test_a_client_of_each_revision_is_asked_on_the_stream_of_its_own_call(
    revision: str, question: Question, said: dict[str, Any]
) -> None:
    edge = EdgeUnderTest()
    chain = Rounds(edge, asking(one=question), DONE)
    client = await LegacyClient.begun(edge, revision)

    under_way = client.call(7)
    asked = await under_way.asked()
    told = await client.answer(asked["id"], said)
    answer = await under_way.answered()

    first, second = chain.calls
    assert (asked["method"], asked["params"]) == (question.method, json.loads(question.params))
    assert str(asked["id"]).startswith("gw-")
    assert (told.status, told.body) == (202, b"")
    assert answer == {"jsonrpc": "2.0", "id": 7, "result": {"content": []}}
    assert second.parent == first.id != second.id
    assert second.params.view() == {
        **ADD, "inputResponses": {"one": said}, "requestState": "sealed",
    }  # fmt: skip
    assert chain.parks.ended == []


@pytest.mark.requirement("edge:clients-are-asked")
async def test_two_calls_at_once_each_get_their_own_question() -> None:
    edge = EdgeUnderTest()
    client = await LegacyClient.begun(edge)
    Rounds(edge, asking(a=NAME), asking(b=ROOTS), DONE)

    one, two = client.call(1), client.call(2)
    named, listed = await one.asked(), await two.asked()
    await client.answer(listed["id"], {"roots": []})
    await client.answer(named["id"], ACCEPTED)

    assert (named["method"], listed["method"]) == ("elicitation/create", "roots/list")
    assert ((await one.answered())["id"], (await two.answered())["id"]) == (1, 2)
    assert edge.calls[-1].params.view()["inputResponses"] == {"a": ACCEPTED}


@pytest.mark.requirement("edge:clients-are-asked")
async def test_several_questions_of_one_result_are_put_at_once_and_answered_together() -> None:
    edge = EdgeUnderTest()
    chain = Rounds(edge, asking(who=NAME, where=ROOTS), DONE)
    client = await LegacyClient.begun(edge)

    under_way = client.call()
    first, second = await under_way.asked(1), await under_way.asked(2)
    await client.answer(second["id"], {"roots": []})
    await client.answer(first["id"], ACCEPTED)
    await under_way.answered()

    assert chain.calls[1].params.view()["inputResponses"] == {
        "who": ACCEPTED, "where": {"roots": []},
    }  # fmt: skip


@pytest.mark.requirement("edge:clients-are-asked")
async def test_who_asks_again_gets_the_newest_state_back_and_who_never_ends_is_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rounds, "MOST_ROUNDS", 3)
    edge = EdgeUnderTest()
    states = [asking(f"state-{n}", one=ROOTS) for n in range(4)]
    chain = Rounds(edge, *states)
    client = await LegacyClient.begun(edge)

    under_way = client.call()
    for number in range(1, 4):
        await client.answer((await under_way.asked(number))["id"], {"roots": [number]})
    answer = await under_way.answered()

    said = [call.params.view() for call in chain.calls]
    assert [view.get("requestState") for view in said] == [None, "state-0", "state-1", "state-2"]
    assert [call.parent for call in chain.calls] == ["", *(c.id for c in chain.calls[:3])]
    assert answer["result"]["isError"] is True
    assert "more than 3 times" in text_of(answer)
    assert chain.parks.ended == [(chain.calls[3].id, "cancelled")]


async def test_an_upstream_that_only_wants_to_be_called_again_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rounds, "PAUSE", 0)
    edge = EdgeUnderTest()
    chain = Rounds(edge, asking("later"), DONE)
    client = await LegacyClient.begun(edge)

    answer = await client.call().answered()

    assert "result" in answer
    assert chain.calls[1].params.view()["requestState"] == "later"


@pytest.mark.requirement("edge:clients-are-asked")
async def test_what_the_client_declared_goes_with_its_calls_if_it_can_be_asked() -> None:
    edge = EdgeUnderTest()
    client = await LegacyClient.begun(edge, capabilities={"roots": {"listChanged": True}})

    await client.call().answered()
    await client.call(headers=[(b"accept", b"application/json")]).answered()
    await edge.legacy("tools/call", ADD)
    await edge.modern("tools/call", ADD)

    declared = [call.declared and call.declared.capabilities for call in edge.calls]
    assert declared == [b'{"roots": {"listChanged": true}}', b"{}", b"{}", None]


@pytest.mark.requirement("edge:clients-are-asked")
@pytest.mark.parametrize("session", [True, False])
async def test_who_cannot_be_asked_is_told_what_is_missing(*, session: bool) -> None:
    edge = EdgeUnderTest()
    chain = Rounds(edge, asking(one=NAME, two=ROOTS))
    if session:
        client = await LegacyClient.begun(edge)
        answer = await client.call(headers=[(b"accept", b"application/json")]).answered()
    else:
        answer = (await edge.legacy("tools/call", ADD)).json()

    assert answer["error"]["code"] == -32021
    assert answer["error"]["data"]["requiredCapabilities"] == {"elicitation": {}, "roots": {}}
    assert chain.parks.ended == [(chain.calls[0].id, "cancelled")]


@pytest.mark.requirement("edge:clients-are-asked")
async def test_a_question_that_nobody_answers_is_taken_back_and_the_call_ends() -> None:
    edge = EdgeUnderTest()
    chain = Rounds(edge, asking(one=NAME))
    edge.sessions.settings = SessionsSection(question=0.01)
    client = await LegacyClient.begun(edge)

    under_way = client.call()
    answer = await under_way.answered()
    asked = await under_way.asked()
    late = await client.answer(asked["id"], ACCEPTED)

    cancelled = await under_way.said("notifications/cancelled")
    assert cancelled["params"] == {"requestId": asked["id"]}
    assert "question_expired" in text_of(answer)
    assert chain.parks.ended == [(chain.calls[0].id, "unanswered")]
    assert (late.status, len(chain.calls)) == (202, 1)


@pytest.mark.requirement("edge:cancelled-is-answered")
async def test_who_cancels_while_being_asked_leaves_nothing_waiting_at_the_upstream() -> None:
    edge = EdgeUnderTest()
    chain = Rounds(edge, asking(one=NAME))
    client = await LegacyClient.begun(edge)
    under_way = client.call(7)
    asked = await under_way.asked()

    await client.say("notifications/cancelled", {"requestId": 7})
    answer = await under_way.answered()
    late = await client.answer(asked["id"], ACCEPTED)

    assert answer["error"]["code"] == -31059
    assert chain.parks.ended == [(chain.calls[0].id, "cancelled")]
    assert (late.status, len(chain.calls)) == (202, 1)


@pytest.mark.requirement("edge:cancelled-is-answered")
async def test_the_end_of_a_session_ends_its_questions() -> None:
    edge = EdgeUnderTest()
    chain = Rounds(edge, asking(one=NAME))
    client = await LegacyClient.begun(edge)
    under_way = client.call(7)
    await under_way.asked()

    await client.post(b"", method="DELETE").run(edge.app)
    await under_way.answered()

    assert chain.parks.ended == [(chain.calls[0].id, "cancelled")]


@pytest.mark.parametrize(
    ("question", "outcome"),
    [(NAME, "done"), (ROOTS, "question_expired"), (Question("sampling/createMessage"), "rejected")],
)
async def test_an_error_for_an_answer_is_a_person_who_did_not_choose_or_the_end(
    question: Question, outcome: str
) -> None:
    edge = EdgeUnderTest()
    chain = Rounds(edge, asking(one=question), Body(b'{"content":[{"text":"done"}]}'))
    client = await LegacyClient.begun(edge)

    under_way = client.call()
    asked = await under_way.asked()
    await client.answer(asked["id"], error={"code": -1, "message": "rejected by the user\x1b[0m"})
    answer = await under_way.answered()

    assert outcome in text_of(answer)
    assert "\x1b" not in text_of(answer)
    if question is NAME:
        assert chain.calls[1].params.view()["inputResponses"] == {"one": {"action": "cancel"}}
    else:
        assert chain.parks.ended == [(chain.calls[0].id, "unanswered")]


@pytest.mark.requirement("edge:answers-are-their-sessions")
async def test_the_answer_of_another_session_or_to_nothing_changes_nothing() -> None:
    edge = EdgeUnderTest()
    Rounds(edge, asking(one=NAME), DONE)
    client = await LegacyClient.begun(edge)
    another = await LegacyClient.begun(edge)
    bob = LegacyClient(edge, client.session, BOB)
    under_way = client.call()
    asked = await under_way.asked()

    elsewhere = await another.answer(asked["id"], {"action": "decline"})
    by_bob = await bob.answer(asked["id"], {"action": "decline"})
    unknown = await client.answer("gw-99", {"action": "decline"})
    without = await edge.ask({"jsonrpc": "2.0", "id": asked["id"], "result": {}})
    await client.answer(asked["id"], ACCEPTED)
    again = await client.answer(asked["id"], {"action": "decline"})
    await under_way.answered()

    statuses = [a.status for a in (elsewhere, by_bob, unknown, without, again)]
    assert statuses == [202, 404, 202, 202, 202]
    assert edge.calls[1].params.view()["inputResponses"] == {"one": ACCEPTED}


@pytest.mark.requirement("edge:one-reading-of-a-call")
@pytest.mark.parametrize(
    "result", [b"[]", b"5", b'{"action":"accept","action":"decline"}', b'{"a":%b1%b}']
)
async def test_an_answer_that_is_no_object_with_one_meaning_is_refused(result: bytes) -> None:
    edge = EdgeUnderTest()
    Rounds(edge, asking(one=NAME), DONE)
    client = await LegacyClient.begun(edge)
    under_way = client.call()
    asked = await under_way.asked()
    if b"%b" in result:
        result %= (b"[" * 300, b"]" * 300)

    body = b'{"jsonrpc":"2.0","id":"%b","result":%b}' % (asked["id"].encode(), result)
    refused = await client.post(body).run(edge.app)
    await client.answer(asked["id"], ACCEPTED)
    answer = await under_way.answered()

    assert refused.status == 400
    assert "result" in answer


@pytest.mark.requirement("edge:clients-are-asked")
async def test_a_call_goes_on_with_the_rights_that_its_caller_has_by_then() -> None:
    edge = EdgeUnderTest()
    chain = Rounds(edge, asking(one=NAME), DONE)
    client = await LegacyClient.begun(edge)
    under_way = client.call()
    asked = await under_way.asked()
    renewed = replace(ALICE, roles=frozenset({"fewer"}))
    edge.current.swap_keyring(Keyring({digest_of(KEYS[ALICE]): ApiKey("alice", renewed)}))

    await client.answer(asked["id"], ACCEPTED)
    await under_way.answered()

    assert [call.principal for call in chain.calls] == [ALICE, renewed]


async def test_a_refusal_of_the_call_that_goes_on_names_that_call() -> None:
    edge = EdgeUnderTest()
    client = await LegacyClient.begun(edge)

    async def chain(call: Call) -> Result:
        if call.parent:
            raise Forbidden("no more", rule="later")
        return asking(one=NAME)

    edge.chain = chain
    under_way = client.call()
    await client.answer((await under_way.asked())["id"], ACCEPTED)
    answer = await under_way.answered()

    assert f"Rule: later. Call: {edge.calls[1].id}." in text_of(answer)


async def test_a_form_has_no_mode_before_there_were_two() -> None:
    edge = EdgeUnderTest()
    form = Question("elicitation/create", b'{"mode":"form","message":"Who?"}')
    Rounds(edge, asking(one=form), DONE)
    said = []
    for revision in ("2025-06-18", "2025-11-25"):
        client = await LegacyClient.begun(edge, revision)
        Rounds(edge, asking(one=form), DONE)
        under_way = client.call()
        said.append((await under_way.asked())["params"])
        under_way.task.cancel()

    assert said == [{"message": "Who?"}, {"mode": "form", "message": "Who?"}]
