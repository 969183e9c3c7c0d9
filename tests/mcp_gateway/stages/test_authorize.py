import pytest

from mcp_gateway.core.decision import Decision, Effect
from mcp_gateway.core.errors import Forbidden, InsufficientScope, UnknownTarget
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.target import Target
from mcp_gateway.stages.authorize import Authorize
from mcp_gateway.stages.resolve import Resolve
from tests.mcp_gateway.stages.contract import check
from tests.support.calls import ADD, DELETE, Rest, call, snapshot
from tests.support.fakes import ALLOWED, DENIED, HIDDEN, FakePolicy


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
        await Resolve()(call(params={"name": "github__delete_repo"}, snapshot=empty), Rest())
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
