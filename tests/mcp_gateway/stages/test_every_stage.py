"""What holds for each stage of the literal list in app.py, whichever they are."""

import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import pytest

from local_models.guards.profiles import built_in
from local_models.guards.rules import RulesGuard
from mcp_gateway import app
from mcp_gateway.core import ports
from mcp_gateway.core.asking import Resumed
from mcp_gateway.core.body import Body, Result
from mcp_gateway.core.call import Call, Next
from mcp_gateway.core.decision import Obligation
from mcp_gateway.core.errors import Blocked, Forbidden, Refusal
from mcp_gateway.core.snapshot import Snapshot
from mcp_gateway.pipeline import compose
from mcp_gateway.wire import modern
from tests.mcp_gateway.stages.contract import check
from tests.support.calls import Inbox, Rest, call, snapshot
from tests.support.fakes import (
    ASKING,
    DENIED,
    FakeBroker,
    FakeConnector,
    FakeHandles,
    FakeLedger,
    FakeLimiter,
    FakeObserver,
    FakeParked,
    FakeParking,
    FakePolicy,
    allowing,
    asking,
)

COUNT = 8
SECRET = b"ghp_" + b"a1B2" * 9
MESSAGE = Body(b'{"jsonrpc":"2.0","method":"notifications/progress"}')
PROFILES = ["none", "observe", "standard", "strict"]
METHODS: Mapping[str, Mapping[str, Any]] = {
    "tools/call": {"name": "github__add", "arguments": {"a": 1}},
    "prompts/get": {"name": "orders__greet"},
    "resources/read": {"uri": "repo://site/readme"},
    "tools/list": {},
}

Stages = Callable[[ports.Ledger], Sequence[ports.Stage]]


@pytest.fixture
def literal(monkeypatch: pytest.MonkeyPatch) -> Stages:
    """The list that app.py hands to compose(), itself and no copy of it."""
    kept: list[ports.Stage] = []

    def keeping(stages: Sequence[ports.Stage]) -> Next:
        kept[:] = stages
        return compose(stages)

    def stages(ledger: ports.Ledger) -> Sequence[ports.Stage]:
        profiles, parking = built_in(RulesGuard()), FakeParking()
        through = app.Ports(
            ledger,
            parking,
            FakeHandles(Resumed(parent="c-1", park="c-1", server="github")),
            [FakeObserver()],
            FakeLimiter(),
            profiles,
            FakeBroker(),
        )
        app.chain(through)
        return tuple(kept)

    monkeypatch.setattr(app, "compose", keeping)
    return stages


def wrapped(stages: Sequence[ports.Stage], last: Callable[[Call], Awaitable[Result]]) -> Next:
    """The stages around `last`, without the check of order that would refuse at start."""
    answer: Next = last
    for stage in reversed(stages):
        answer = _around(stage, answer)
    return answer


def _around(stage: ports.Stage, rest: Next) -> Next:
    async def step(call: Call) -> Result:
        return await stage(call, rest)

    return step


async def unanswered(call: Call) -> Result:
    raise Forbidden(f"nothing answers {call.method}")


def test_there_are_eight(literal: Stages) -> None:
    assert len(literal(FakeLedger())) == COUNT


@pytest.mark.parametrize("at", range(COUNT))
async def test_a_stage_changes_only_what_it_sets_and_goes_on_when_its_needs_are_met(
    literal: Stages, at: int
) -> None:
    stages, rest, connector = literal(FakeLedger()), Rest(), FakeConnector()

    async def tested(made: Call) -> Result:
        await check(stages[at], made, rest)
        return rest.answer

    made = call(snapshot=snapshot(connector, guard="standard"))
    with contextlib.suppress(Refusal):
        await wrapped(stages[:at], tested)(made)
    assert len(rest.calls) + len(connector.received) == 1


@pytest.mark.requirement("chain:each-stage-removed-refuses")
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("removed", range(COUNT))
async def test_without_any_one_stage_nothing_is_sent_and_nothing_released(
    literal: Stages, removed: int, profile: str
) -> None:
    ledger, connector, inbox = FakeLedger(), FakeConnector(messages=(MESSAGE,)), Inbox()
    stages = literal(ledger)
    left = [*stages[:removed], *stages[removed + 1 :]]
    for method, params in METHODS.items():
        world = snapshot(connector, guard=profile)
        with pytest.raises(Refusal):
            await wrapped(left, unanswered)(call(method, params, snapshot=world, notify=inbox))
    assert (connector.received, inbox.messages) == ([], [])
    assert "intent" not in ledger.kinds


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("method", METHODS)
async def test_with_all_of_them_the_same_calls_are_answered(
    literal: Stages, method: str, profile: str
) -> None:
    ledger, connector, inbox = FakeLedger(), FakeConnector(messages=(MESSAGE,)), Inbox()
    made = call(method, METHODS[method], snapshot=snapshot(connector, guard=profile), notify=inbox)
    assert await wrapped(literal(ledger), unanswered)(made) is connector.answer
    assert inbox.messages == [MESSAGE.raw]
    assert ledger.kinds == ["intent", "outcome"]


@pytest.mark.requirement("chain:nothing-sent-while-owed")
async def test_what_no_stage_can_do_before_sending_keeps_a_call_in(literal: Stages) -> None:
    ledger, connector = FakeLedger(), FakeConnector()
    world = snapshot(connector, allowing(Obligation("watermark", "red")))
    with pytest.raises(Forbidden, match="watermark:red"):
        await wrapped(literal(ledger), unanswered)(call(snapshot=world))
    assert connector.received == []
    assert ledger.kinds == ["outcome"]


@pytest.mark.requirement("chain:nothing-released-while-owed")
@pytest.mark.parametrize("failed", [False, True], ids=["a result", "an error of the upstream's"])
async def test_what_no_stage_can_do_before_answering_keeps_the_answer_in(
    literal: Stages, *, failed: bool
) -> None:
    ledger, answer = FakeLedger(), Body(b'{"code":-32000,"message":"no"}', failed=failed)
    owed = allowing(Obligation("watermark", "red", "result"))
    world = snapshot(FakeConnector(answer), owed)
    with pytest.raises(Forbidden, match="watermark:red"):
        await wrapped(literal(ledger), unanswered)(call(snapshot=world))
    assert ledger.last.body["outcome"] == "forbidden"
    assert "result" not in ledger.last.content


@pytest.mark.requirement("chain:nothing-released-while-owed")
async def test_what_no_stage_can_do_before_answering_keeps_every_message_in(
    literal: Stages,
) -> None:
    inbox, connector = Inbox(), FakeConnector(messages=(MESSAGE, MESSAGE))
    world = snapshot(connector, allowing(Obligation("watermark", "red", "result")))
    with pytest.raises(Forbidden):
        await wrapped(literal(FakeLedger()), unanswered)(call(snapshot=world, notify=inbox))
    assert inbox.messages == []


@pytest.mark.requirement("chain:each-stage-removed-refuses")
@pytest.mark.parametrize("removed", range(COUNT))
async def test_without_any_one_stage_no_upstream_asks_anybody(
    literal: Stages, removed: int
) -> None:
    parked = FakeParked()
    ledger, connector = FakeLedger(), FakeConnector(asking(parked))
    stages = literal(ledger)
    left = [*stages[:removed], *stages[removed + 1 :]]

    with pytest.raises(Refusal):
        await wrapped(left, unanswered)(_asked(snapshot(connector, guard="standard")))

    assert (connector.received, parked.resumed) == ([], [])


async def test_with_all_of_them_what_is_asked_and_what_is_answered_is_recorded(
    literal: Stages,
) -> None:
    parked = FakeParked()
    ledger, connector = FakeLedger(), FakeConnector(asking(parked))
    answer = wrapped(literal(ledger), unanswered)
    world = snapshot(connector, guard="standard")

    asked = await answer(_asked(world))
    retry = _asked(world, id="c-2", requestState="sealed:c-1")
    result = await answer(retry)

    assert asked.view()["requestState"] == "sealed:c-1"
    assert result is parked.answer
    assert ledger.kinds == ["intent", "asked", "outcome", "intent", "outcome"]
    assert ledger.entries[3].body["park"] == "c-1"


async def test_an_answer_is_decided_anew(literal: Stages) -> None:
    parked = FakeParked()
    answer = wrapped(literal(FakeLedger()), unanswered)
    await answer(_asked(snapshot(FakeConnector(asking(parked)))))

    denying = snapshot(policy=FakePolicy(DENIED))
    with pytest.raises(Forbidden, match="no-delete"):
        await answer(_asked(denying, id="c-2", requestState="sealed:c-1"))

    assert parked.resumed == []


@pytest.mark.requirement("questions:looked-at-both-ways")
async def test_what_an_upstream_asks_is_looked_at_like_any_result(literal: Stages) -> None:
    parked = FakeParked()
    raw = ASKING.replace(b"Who are you?", SECRET)
    ledger, connector = FakeLedger(), FakeConnector(asking(parked, raw=raw))

    with pytest.raises(Blocked):
        await wrapped(literal(ledger), unanswered)(_asked(snapshot(connector, guard="strict")))

    assert parked.abandoned == 1
    assert ledger.kinds == ["intent", "outcome"]


@pytest.mark.requirement("questions:looked-at-both-ways")
async def test_what_an_upstream_is_answered_is_looked_at_like_any_arguments(
    literal: Stages,
) -> None:
    parked = FakeParked()
    connector = FakeConnector(asking(parked))
    answer = wrapped(literal(FakeLedger()), unanswered)
    world = snapshot(connector, guard="strict")
    await answer(_asked(world))

    said = {"who": {"action": "accept", "content": {"name": SECRET.decode()}}}
    retry = _asked(world, id="c-2", requestState="sealed:c-1", inputResponses=said)
    with pytest.raises(Blocked):
        await answer(retry)

    assert parked.resumed == []


def _asked(world: Snapshot, id: str = "c-1", **params: Any) -> Call:  # noqa: A002  # the call's
    meta: dict[str, Any] = {modern.META_CAPABILITIES: {"elicitation": {}}}
    return call(params={"name": "github__add", "_meta": meta, **params}, snapshot=world, id=id)
