from typing import ClassVar

import pytest

from local_models.guards.profiles import Profile
from mcp_gateway.core import ports
from mcp_gateway.core.body import Body, Result
from mcp_gateway.core.call import Call, Next
from mcp_gateway.core.errors import Blocked, Forbidden, Refusal
from mcp_gateway.core.snapshot import Hear
from mcp_gateway.pipeline import compose, hearing
from mcp_gateway.stages.approve import Approve
from mcp_gateway.stages.authorize import Authorize
from mcp_gateway.stages.exchange import Exchange
from mcp_gateway.stages.forward import Forward
from mcp_gateway.stages.guard import Guard
from mcp_gateway.stages.limit import Limit
from mcp_gateway.stages.record import Record
from mcp_gateway.stages.resolve import Resolve
from tests.support.calls import Inbox, call, snapshot
from tests.support.fakes import (
    FakeBroker,
    FakeConnector,
    FakeGuard,
    FakeHandles,
    FakeLedger,
    FakeLimiter,
    FakeObserver,
    FakeParking,
)

NAMES = ("Record", "Resolve", "Authorize", "Limit", "Guard", "Approve", "Exchange", "Forward")
MESSAGE = Body(b'{"jsonrpc":"2.0","method":"notifications/progress"}')


def stages(ledger: ports.Ledger, guard: ports.Guard | None = None) -> list[ports.Stage]:
    """The eight, in their order, on fakes that allow everything."""
    denying = Profile("standard", (guard or FakeGuard(),), {("result", "credential"): "deny"})
    return [
        Record(ledger, FakeParking(), [FakeObserver()]),
        Resolve(FakeHandles()),
        Authorize(),
        Limit(FakeLimiter()),
        Guard({"standard": denying}),
        Approve(),
        Exchange(FakeBroker()),
        Forward(ledger, FakeParking()),
    ]


def without(name: str, ledger: ports.Ledger) -> list[ports.Stage]:
    """The literal list less one: what somebody who forgot a stage would have."""
    return [stage for stage in stages(ledger) if type(stage).__name__ != name]


def chain(chosen: list[ports.Stage]) -> Next:
    """Composed without the check of order, so that a call itself meets what is missing."""

    async def nothing(call: Call) -> Result:
        raise Forbidden(f"nothing answers {call.method}")

    answer: Next = nothing
    for stage in reversed(chosen):
        answer = _bound(stage, answer)
    return answer


def _bound(stage: ports.Stage, rest: Next) -> Next:
    async def step(call: Call) -> Result:
        return await stage(call, rest)

    return step


@pytest.mark.requirement("chain:eight-stages-in-order")
async def test_a_call_passes_all_eight_and_leaves_two_entries() -> None:
    ledger, connector, inbox = FakeLedger(), FakeConnector(messages=(MESSAGE,)), Inbox()
    made = call(snapshot=snapshot(connector, guard="standard"), notify=inbox)
    result = await compose(stages(ledger))(made)
    assert result is connector.answer
    assert ledger.kinds == ["intent", "outcome"]
    assert ledger.last.body["intent"] == 0
    assert connector.shown[0].reference == "static:github"
    assert inbox.messages == [MESSAGE.raw]
    assert made.outstanding("request") | made.outstanding("result") == frozenset()


def test_the_stages_are_the_eight_of_the_architecture() -> None:
    assert tuple(type(stage).__name__ for stage in stages(FakeLedger())) == NAMES


@pytest.mark.requirement("chain:each-stage-removed-refuses")
@pytest.mark.parametrize("removed", NAMES)
async def test_without_any_one_stage_a_call_is_refused_under_an_allow_all_policy(
    removed: str,
) -> None:
    ledger, connector, inbox = FakeLedger(), FakeConnector(messages=(MESSAGE,)), Inbox()
    made = call(snapshot=snapshot(connector, guard="standard"), notify=inbox)
    with pytest.raises(Refusal):
        await chain(without(removed, ledger))(made)
    assert connector.received == []
    assert inbox.messages == []


@pytest.mark.requirement("chain:nothing-released-while-owed")
async def test_a_result_that_was_sent_for_is_not_released_unless_it_was_looked_at() -> None:
    class Forgetful(Guard):
        """Looks at what leaves, and forgets what comes back."""

        async def __call__(self, call: Call, call_next: Next) -> Result:
            call.discharged |= {o for o in call.outstanding("request") if o.name == "guard"}
            return await call_next(call)

    ledger, connector = FakeLedger(), FakeConnector()
    chosen = [Forgetful({}) if isinstance(s, Guard) else s for s in stages(ledger)]
    with pytest.raises(Forbidden, match="guard:standard"):
        await compose(chosen)(call(snapshot=snapshot(connector, guard="standard")))
    assert len(connector.received) == 1
    assert ledger.kinds == ["intent", "outcome"]
    assert ledger.last.body["outcome"] == "forbidden"


async def test_a_blocked_result_never_leaves_and_both_entries_stand() -> None:
    ledger, connector = FakeLedger(), FakeConnector(Body(b'{"content":"hush"}'))
    answer = compose(stages(ledger, FakeGuard(words=["hush"])))
    with pytest.raises(Blocked):
        await answer(call(snapshot=snapshot(connector, guard="standard")))
    assert [entry.kind for entry in ledger.entries] == ["intent", "outcome"]
    assert ledger.last.body["outcome"] == "blocked"


async def test_a_renewed_credential_is_still_one_intent_and_two_attempts() -> None:
    ledger, connector = FakeLedger(), FakeConnector(unauthorised=1)
    await compose(stages(ledger))(call(snapshot=snapshot(connector, guard="standard")))
    assert ledger.kinds == ["intent", "outcome"]
    assert ledger.last.body["attempts"] == 2
    assert [dict(c.headers)["authorization"] for c in connector.shown] == [
        "Bearer key-1",
        "Bearer key-2",
    ]


@pytest.mark.requirement("chain:wrong-order-fails-at-start")
@pytest.mark.parametrize(("early", "late"), [("Forward", "Exchange"), ("Authorize", "Resolve")])
def test_a_wrong_order_is_an_error_at_start(early: str, late: str) -> None:
    by_name = {type(stage).__name__: stage for stage in stages(FakeLedger())}
    names = [name for name in NAMES if name != early]
    names.insert(names.index(late), early)
    with pytest.raises(ValueError, match=f"{early} needs"):
        compose([by_name[name] for name in names])


@pytest.mark.parametrize("removed", ["Resolve", "Authorize", "Approve", "Exchange"])
def test_a_missing_stage_whose_work_others_need_is_an_error_at_start(removed: str) -> None:
    with pytest.raises(ValueError, match="which nothing sets before it"):
        compose(without(removed, FakeLedger()))


async def test_a_chain_that_ends_without_an_answer_refuses() -> None:
    with pytest.raises(Forbidden, match="nothing answers tools/call"):
        await compose([])(call())


HEARD = ("Record", "Resolve", "Authorize", "Guard", "Approve")


def heard(ledger: ports.Ledger, *names: str, guard: ports.Guard | None = None) -> Hear:
    return hearing([stage for stage in stages(ledger, guard) if type(stage).__name__ in names])


async def _said(call: Call) -> Result:
    return Body(b'{"content":"hush"}')


@pytest.mark.requirement("tasks:states-are-governed")
async def test_what_an_upstream_says_by_itself_is_recorded_and_nothing_is_sent_for_it() -> None:
    ledger, connector = FakeLedger(), FakeConnector()
    made = call(snapshot=snapshot(connector, guard="standard"))
    result = await heard(ledger, *HEARD)(made, _said)

    assert result.raw == b'{"content":"hush"}'
    assert (ledger.kinds, connector.received) == (["outcome"], [])


@pytest.mark.requirement("tasks:states-are-governed")
async def test_what_a_guard_denies_is_not_heard() -> None:
    ledger = FakeLedger()
    hear = heard(ledger, *HEARD, guard=FakeGuard(words=["hush"]))
    with pytest.raises(Blocked):
        await hear(call(snapshot=snapshot(guard="standard")), _said)
    assert ledger.last.body["outcome"] == "blocked"


@pytest.mark.requirement("tasks:states-are-governed")
@pytest.mark.parametrize("missing", ["Guard", "Approve"])
async def test_what_is_owed_and_not_done_is_not_heard(missing: str) -> None:
    hear = heard(FakeLedger(), *(name for name in HEARD if name != missing))
    with pytest.raises(Forbidden, match="owed before hearing"):
        await hear(call(snapshot=snapshot(guard="standard")), _said)


async def test_without_stages_nothing_is_heard() -> None:
    with pytest.raises(Forbidden, match="nothing is heard of tools/call"):
        await call().snapshot.hear(call(), _said)


async def test_the_first_stage_is_the_outermost() -> None:
    order: list[str] = []

    class Noting:
        needs: ClassVar = frozenset[str]()
        sets: ClassVar = frozenset[str]()

        def __init__(self, name: str) -> None:
            self.name = name

        async def __call__(self, call: Call, call_next: Next) -> Result:
            order.append(f"{self.name} in")
            try:
                return await call_next(call)
            finally:
                order.append(f"{self.name} out")

    with pytest.raises(Forbidden):
        await compose([Noting("a"), Noting("b")])(call())
    assert order == ["a in", "b in", "b out", "a out"]
