from dataclasses import replace
from typing import Any

import pytest

from mcp_gateway.core.asking import Asked, Question
from mcp_gateway.core.body import Body
from mcp_gateway.core.call import Call
from mcp_gateway.core.decision import Decision, Effect, Obligation
from mcp_gateway.core.errors import (
    Forbidden,
    InsufficientScope,
    MissingCapability,
    UnknownTarget,
)
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import Snapshot
from mcp_gateway.core.target import Target
from mcp_gateway.stages.authorize import Authorize
from mcp_gateway.stages.resolve import Resolve
from mcp_gateway.wire import modern
from tests.mcp_gateway.stages.contract import check
from tests.support.calls import ADD, DELETE, Rest, call, snapshot
from tests.support.fakes import (
    ALLOWED,
    DENIED,
    HIDDEN,
    WHO,
    FakeHandles,
    FakeParked,
    FakePolicy,
    allowing,
    asking,
)


async def test_authorize_changes_only_what_it_sets() -> None:
    made = call()
    made.target = ADD
    await check(Authorize(), made)


async def test_an_allowed_call_goes_on_with_its_decision() -> None:
    rest, made = Rest(), call()
    made.target = ADD
    await Authorize()(made, rest)
    assert rest.calls[0].decision is ALLOWED


@pytest.mark.requirement("refusals:denial-names-its-rule")
async def test_a_denial_is_told_with_its_rule_to_who_may_know() -> None:
    rest, made = Rest(), call(snapshot=snapshot(policy=FakePolicy(DENIED)))
    made.target = DELETE
    with pytest.raises(Forbidden, match="tool/github/delete_repo is denied") as caught:
        await Authorize()(made, rest)
    assert caught.value.rule == "no-delete"
    assert rest.calls == []


@pytest.mark.requirement("refusals:stranger-sees-no-name")
async def test_to_a_stranger_a_denied_name_reads_like_one_that_does_not_exist() -> None:
    world = snapshot(policy=FakePolicy(HIDDEN))
    denied = call(params={"name": "github__delete_repo"}, snapshot=world)
    denied.target = DELETE
    with pytest.raises(UnknownTarget) as hidden:
        await Authorize()(denied, Rest())
    empty = snapshot(policy=FakePolicy(HIDDEN), targets=[])
    with pytest.raises(UnknownTarget) as absent:
        await Resolve(FakeHandles())(
            call(params={"name": "github__delete_repo"}, snapshot=empty), Rest()
        )
    told = [(r.value.reason, r.value.rule, r.value.code, r.value.status) for r in (hidden, absent)]
    assert told[0] == told[1]


async def test_a_hidden_denial_stands_in_the_ledger_with_its_rule() -> None:
    hidden = Decision(Effect.DENY, rule="secret-rule", reason="no")
    made = call(snapshot=snapshot(policy=FakePolicy(hidden)))
    made.target = ADD
    with pytest.raises(UnknownTarget) as caught:
        await Authorize()(made, Rest())
    assert caught.value.recorded == "forbidden"
    assert made.facts["hidden_rule"] == "secret-rule"
    assert "secret-rule" not in str(caught.value)


async def test_scopes_bound_what_a_rule_allows() -> None:
    rest, made = Rest(), call()
    made.target = Target("tool", "github", "add", requires=frozenset({"repo:write", "repo:read"}))
    made.principal = Principal("local", "alice", "acme", scopes=frozenset({"repo:read"}))
    with pytest.raises(InsufficientScope) as caught:
        await Authorize()(made, rest)
    assert caught.value.missing == ("repo:write",)
    assert caught.value.required == ("repo:read", "repo:write")
    assert rest.calls == []


async def test_a_denial_comes_before_a_missing_scope() -> None:
    made = call(snapshot=snapshot(policy=FakePolicy(DENIED)))
    made.target = Target("tool", "github", "add", requires=frozenset({"repo:write"}))
    with pytest.raises(Forbidden):
        await Authorize()(made, Rest())


@pytest.mark.requirement("authorize:strangers-learn-nothing")
async def test_who_may_do_nothing_is_told_so_of_the_gateway_and_of_no_server() -> None:
    world = snapshot(policy=FakePolicy(HIDDEN))
    whole, one = call(snapshot=world), call(snapshot=world, endpoint="github")
    whole.target = Target("catalog", "gateway", "tools/list")
    one.target = Target("catalog", "github", "tools/list")

    with pytest.raises(Forbidden, match="no rule allows you anything here yet"):
        await Authorize()(whole, Rest())
    with pytest.raises(UnknownTarget):
        await Authorize()(one, Rest())


CAN: Any = {"elicitation": {}, "sampling": {}}


def asked_call(world: Snapshot | None = None, can: Any = CAN) -> Call:
    meta = {modern.META_CAPABILITIES: can}
    made = call(params={"name": "github__add", "_meta": meta}, snapshot=world)
    made.target = ADD
    return made


SAMPLE = Question("sampling/createMessage")


async def test_a_question_that_may_be_asked_is_a_child_of_its_call() -> None:
    made, asked = asked_call(), asking(FakeParked(), who=WHO, what=SAMPLE)

    result = await Authorize()(made, Rest(asked))

    assert result is asked
    assert [child.id for child in made.children] == ["c-1.1", "c-1.2"]
    first = made.children[0]
    assert (first.method, first.params.raw, first.parent) == (WHO.method, WHO.params, "c-1")
    assert (first.target, first.principal, first.decision) == (ADD, made.principal, ALLOWED)
    assert [child.facts["key"] for child in made.children] == ["who", "what"]


@pytest.mark.requirement("questions:need-an-allow")
@pytest.mark.parametrize(
    ("decision", "said", "rule"),
    [
        (DENIED, "github may not ask you for elicitation: the rule no-delete says so", "no-delete"),
        (replace(DENIED, named=False), "elicitation: no rule allows it", ""),
        (
            replace(ALLOWED, obligations=frozenset({Obligation("approval", "boss")})),
            "elicitation: it owes approval:boss",
            "all",
        ),
    ],
    ids=["denied", "denied by a rule that they may not know", "owed"],
)
async def test_a_question_that_may_not_be_asked_ends_its_call(
    decision: Decision, said: str, rule: str
) -> None:
    class OfQuestions(FakePolicy):
        def decide(self, call: Call) -> Decision:
            return decision if call.parent else ALLOWED

    made = asked_call(snapshot(policy=OfQuestions()))

    with pytest.raises(Forbidden) as refused:
        await Authorize()(made, Rest(asking(who=WHO, what=SAMPLE)))

    assert refused.value.reason.endswith(said)
    assert refused.value.rule == rule
    assert len(made.children) == 2


async def test_what_the_rule_of_a_question_owes_and_its_call_has_done_is_enough() -> None:
    owed = Obligation("guard", "strict", "result")
    made = asked_call(snapshot(policy=allowing(owed)))
    made.discharged.add(owed)

    await Authorize()(made, Rest(asking()))

    assert len(made.children) == 1


@pytest.mark.requirement("questions:need-a-capability")
async def test_a_client_that_cannot_be_asked_is_told_all_that_is_missing() -> None:
    made = asked_call(can={"elicitation": {"url": {}}})

    with pytest.raises(MissingCapability, match="elicitation and sampling") as refused:
        await Authorize()(made, Rest(asking(who=WHO, what=SAMPLE)))

    assert refused.value.required == {"elicitation": {"form": {}}, "sampling": {}}
    assert len(made.children) == 2


@pytest.mark.requirement("connecting:asked-by-elicitation")
async def test_the_gateways_own_question_needs_no_rule_of_its_own() -> None:
    class NoQuestions(FakePolicy):
        def decide(self, call: Call) -> Decision:
            return DENIED if call.parent else ALLOWED

    made = asked_call(snapshot(policy=NoQuestions()))
    asked = Body(b"{}", asked=Asked({"connect": WHO}, own=True))

    assert await Authorize()(made, Rest(asked)) is asked
    assert made.children == ()


async def test_a_state_without_questions_asks_nobody() -> None:
    result = Body(b"{}", asked=Asked({}, "later"))
    made = asked_call(can={})

    assert await Authorize()(made, Rest(result)) is result
    assert made.children == ()
