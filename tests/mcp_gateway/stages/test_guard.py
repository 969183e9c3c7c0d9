from collections.abc import Mapping
from typing import Any

import pytest

from local_models.guards.profiles import Profile, built_in
from local_models.guards.rules import RulesGuard
from mcp_gateway.core.body import Body
from mcp_gateway.core.call import Call
from mcp_gateway.core.decision import Obligation
from mcp_gateway.core.errors import Blocked, Forbidden, Refusal
from mcp_gateway.core.ports import Channel
from mcp_gateway.stages.guard import Guard
from mcp_gateway.stages.record import Record
from tests.mcp_gateway.stages.contract import check
from tests.support.calls import Inbox, Rest, resolved, snapshot
from tests.support.fakes import FakeGuard, FakeLedger, FakeParking

HUSH: Mapping[str, Any] = {"name": "github__add", "arguments": {"note": "hush", "n": 1}}
CLEAN = Body(b'{"content":[{"type":"text","text":"fine"}]}')
DIRTY = Body(b'{"content":[{"type":"text","text":"hush"}]}')


def profile(guard: FakeGuard, *denied: Channel, **changes: Any) -> Guard:
    """A stage with the one profile `p`, which refuses what is found on these channels."""
    actions = {(channel, guard.label): "deny" for channel in denied}
    return Guard({"p": Profile("p", (guard,), actions, **changes)})  # type: ignore[arg-type]  # Action


def guarded(**changes: Any) -> Call:
    """A call that owes the profile `p` on both sides."""
    return resolved(snapshot=snapshot(guard="p"), **changes)


def owed(call: Call) -> set[str]:
    sides = call.outstanding("request") | call.outstanding("result")
    return {f"{o.side} {o}" for o in sides if o.name == "guard"}


async def test_guard_changes_only_what_it_sets() -> None:
    await check(profile(FakeGuard()), guarded())
    await check(profile(FakeGuard(words=["hush"]), "arguments"), guarded(params=HUSH))


async def test_a_clean_call_owes_nothing_afterwards() -> None:
    made = guarded()
    result = await profile(FakeGuard(words=["hush"]), "arguments", "result")(made, Rest(CLEAN))
    assert result is CLEAN
    assert owed(made) == set()
    assert "findings" not in made.facts


async def test_the_arguments_are_looked_at_before_anything_goes_on() -> None:
    rest, guard = Rest(), FakeGuard(words=["hush"])
    made = guarded(params=HUSH)
    with pytest.raises(Blocked, match="credential at /arguments/note"):
        await profile(guard, "arguments")(made, rest)
    assert rest.calls == []
    assert owed(made) == {"request guard:p", "result guard:p"}


@pytest.mark.requirement("guard:results-before-release")
async def test_a_result_is_looked_at_before_it_is_released() -> None:
    made = guarded()
    with pytest.raises(Blocked, match=r"result of tool/github/add .* /content/0/text"):
        await profile(FakeGuard(words=["hush"]), "result")(made, Rest(DIRTY))
    assert owed(made) == {"result guard:p"}


@pytest.mark.parametrize(
    "raw",
    [
        b'{"structuredContent":{"a":{"b":["x","hush"]}}}',
        b'{"structuredContent":{"hush":1}}',
        b'{"content":[{"type":"resource","resource":{"text":"hush"}}]}',
        b'{"_meta":{"note":"hush"}}',
    ],
)
async def test_no_face_of_a_result_is_left_out(raw: bytes) -> None:
    with pytest.raises(Blocked):
        await profile(FakeGuard(words=["hush"]), "result")(guarded(), Rest(Body(raw)))


async def test_an_upstreams_error_is_a_result() -> None:
    error = Body(b'{"code":-32000,"message":"hush"}', failed=True)
    with pytest.raises(Blocked):
        await profile(FakeGuard(words=["hush"]), "result")(guarded(), Rest(error))


async def test_a_refusal_never_repeats_what_was_found() -> None:
    with pytest.raises(Blocked) as caught:
        await profile(FakeGuard(words=["hush"]), "result")(guarded(), Rest(DIRTY))
    assert "hush" not in str(caught.value)


@pytest.mark.requirement("guard:observe-records-and-lets-pass")
async def test_what_is_only_observed_passes_and_is_noted() -> None:
    made = guarded(params=HUSH)
    result = await profile(FakeGuard(words=["hush"]))(made, Rest(DIRTY))
    assert result is DIRTY
    assert made.facts["findings"] == [
        ["arguments", "credential", "fake", "/arguments/note"],
        ["result", "credential", "fake", "/content/0/text"],
    ]


async def test_a_channel_that_is_not_denied_is_observed() -> None:
    made = guarded(params=HUSH)
    await profile(FakeGuard(words=["hush"]), "result")(made, Rest(CLEAN))
    assert made.facts["findings"][0][0] == "arguments"


@pytest.mark.requirement("guard:unknown-profile-refuses")
async def test_a_profile_that_is_not_configured_stays_owed() -> None:
    made = guarded()
    await Guard({})(made, Rest())
    assert owed(made) == {"request guard:p", "result guard:p"}


async def test_a_profile_without_guards_decodes_nothing() -> None:
    def decode(raw: bytes) -> Any:
        raise AssertionError(raw)

    made = resolved(snapshot=snapshot(guard="none"))
    made.params = Body(b'{"a":"\\u0041"}', decode=decode)
    await Guard({"none": Profile("none")})(made, Rest(Body(b'{"a":"\\u0041"}', decode=decode)))
    assert owed(made) == set()


async def test_every_profile_owed_looks() -> None:
    first, second = FakeGuard(), FakeGuard(words=["hush"])
    stage = Guard(
        {
            "p": Profile("p", (first,)),
            "q": Profile("q", (second,), {("arguments", "credential"): "deny"}),
        }
    )
    made = guarded(params=HUSH)
    decision = made.decision
    made.decision = type(decision)(
        decision.effect, decision.rule, decision.reason, frozenset({Obligation("guard", "q")})
    )
    with pytest.raises(Blocked):
        await stage(made, Rest())


@pytest.mark.requirement("guard:late-is-refused")
async def test_a_guard_that_is_late_refuses() -> None:
    rest = Rest()
    with pytest.raises(Blocked, match="'p' did not answer in time"):
        await profile(FakeGuard(hangs=True), timeout=0.0)(guarded(), rest)
    assert rest.calls == []


async def test_a_late_guard_lets_pass_only_where_its_profile_says_so_and_notes_it() -> None:
    made = guarded()
    await profile(FakeGuard(hangs=True), timeout=0.0, on_error="allow")(made, Rest())
    assert made.facts["guard_late"] == "p"


async def test_a_message_of_the_upstreams_is_looked_at_for_itself() -> None:
    inbox, stage = Inbox(), profile(FakeGuard(words=["hush"]), "result")
    made = guarded(notify=inbox)
    answer = Record(FakeLedger(), FakeParking())
    clean = Body(b'{"method":"notifications/message","params":{"data":"fine"}}')
    with pytest.raises(Blocked):
        await answer(made, lambda call: stage(call, Rest(messages=(clean, DIRTY, clean))))
    assert inbox.messages == [clean.raw]


async def test_a_message_that_was_cleared_does_not_clear_the_answer() -> None:
    made = guarded(notify=Inbox())
    clean = Body(b'{"method":"notifications/message"}')
    with pytest.raises(Blocked):
        await profile(FakeGuard(words=["hush"]), "result")(made, Rest(DIRTY, messages=(clean,)))
    assert owed(made) == {"result guard:p"}


async def test_without_the_stage_no_message_leaves() -> None:
    inbox = Inbox()
    with pytest.raises(Forbidden):
        await Record(FakeLedger(), FakeParking())(guarded(notify=inbox), Rest(messages=(CLEAN,)))
    assert inbox.messages == []


async def test_names_and_addresses_are_looked_at_too() -> None:
    made = guarded(method="resources/read", params={"uri": "repo://hush/readme"})
    with pytest.raises(Blocked, match="at /uri"):
        await profile(FakeGuard(words=["hush"]), "arguments")(made, Rest())


async def test_a_secret_in_a_name_stands_in_no_refusal_and_in_no_entry() -> None:
    ledger, stage = FakeLedger(), profile(FakeGuard(words=["hush"]), "arguments")
    made = guarded(params={"name": "github__add", "arguments": {"hush": 1}})
    with pytest.raises(Blocked) as caught:
        await Record(ledger, FakeParking())(made, lambda call: stage(call, Rest()))
    assert "hush" not in repr(dict(ledger.last.body))
    assert "hush" not in str(caught.value)


async def test_an_upstream_cannot_fill_the_entry_with_findings() -> None:
    made = guarded(notify=Inbox())
    await profile(FakeGuard(words=["hush"]))(made, Rest(messages=(DIRTY,) * 500))
    assert len(made.facts["findings"]) <= 100


@pytest.mark.parametrize("raw", [b'["hush"]', b'"hush"', b'{"hush":['])
async def test_what_cannot_be_read_is_refused_as_such(raw: bytes) -> None:
    with pytest.raises(Refusal):
        await profile(FakeGuard(words=["hush"]), "result")(guarded(), Rest(Body(raw)))


@pytest.mark.requirement("guard:escapes-hide-nothing")
@pytest.mark.parametrize(
    "raw",
    [
        b'{"content":[{"type":"text","text":"hush","text":"fine"}]}',
        b'{"content":[{"type":"text","text":"hush","te\\u0078t":"fine"}]}',
        b'{"structuredContent":{"a":{"b":"hush"},"a":1}}',
    ],
)
async def test_a_name_that_stands_twice_hides_nothing(raw: bytes) -> None:
    stage = profile(FakeGuard(words=["hush"]), "result")
    with pytest.raises(Blocked, match="cannot be read"):
        await stage(guarded(), Rest(Body(raw)))
    error = Body(b'{"code":1,"message":"hush","message":"fine"}', failed=True)
    with pytest.raises(Blocked, match="cannot be read"):
        await stage(guarded(), Rest(error))


async def test_a_message_with_a_name_twice_is_not_delivered() -> None:
    inbox, message = Inbox(), Body(b'{"params":{"data":"hush","data":"fine"}}')
    with pytest.raises(Blocked):
        await profile(FakeGuard(words=["hush"]), "result")(
            guarded(notify=inbox), Rest(messages=(message,))
        )
    assert inbox.messages == []


@pytest.mark.requirement("guard:escapes-hide-nothing")
@pytest.mark.parametrize(
    "raw",
    [
        b'{"content":[{"type":"text","text":"a\\u202eb"}]}',
        b'{"structuredContent":{"\\u0041KIAIOSFODNN7EXAMPLE":1}}',
        b'{"structuredContent":{"AKIAIOSFODNN7EXAMPLE":1}}',
        b'{"_meta":{"x":"\\u003c|im_start|>"}}',
        b'{"a":"\\ud800 \\u202e"}',
    ],
)
@pytest.mark.parametrize("failed", [False, True], ids=["result", "error"])
async def test_the_rules_that_ship_meet_every_spelling_in_every_body(
    raw: bytes, *, failed: bool
) -> None:
    stage = Guard(built_in(RulesGuard()))
    strict, inbox = snapshot(guard="strict"), Inbox()
    with pytest.raises(Blocked):
        await stage(resolved(snapshot=strict), Rest(Body(raw, failed=failed)))
    told = resolved(snapshot=strict, notify=inbox)
    with pytest.raises(Blocked):
        await stage(told, Rest(messages=(Body(raw),)))
    assert inbox.messages == []
