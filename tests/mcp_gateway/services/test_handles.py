"""What a caller brings back: opened for who got it, for the same request, in time."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.core.asking import Asked, Question, Resumed
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.errors import InvalidState, QuestionExpired
from mcp_gateway.services.handles import FREE_ROUNDS, TASK_MARK, Handles, Spent
from mcp_gateway.wire import jsonrpc
from tests.support.calls import ADD, ALICE, resolved
from tests.support.fakes import ASKING, FakeParked, asking

KEY = b"k" * 32
PARAMS: dict[str, Any] = {"name": "github__add", "arguments": {"a": 1}}
ANOTHERS = {
    "subject": replace(ALICE, subject="bob"),
    "issuer": replace(ALICE, issuer="https://idp.example"),
    "tenant": replace(ALICE, tenant="globex"),
    "client": replace(ALICE, client="another"),
    "actor": replace(ALICE, actor="agent"),
}


@dataclass
class World:
    """Two workers of one installation, and their clock."""

    now: float = 1000.0

    def __post_init__(self) -> None:
        self.here = Handles(KEY, lambda: 600.0, lambda: self.now)
        self.there = Handles(KEY, lambda: 600.0, lambda: self.now)


def first(**changes: Any) -> Call:
    return resolved(params=changes.pop("params", PARAMS), **changes)


def retry(state: Any, **changes: Any) -> Call:
    params = {**changes.pop("params", PARAMS), "inputResponses": {"who": {}}, "requestState": state}
    return resolved(params=params, id="c-2", **changes)


def state_of(result: Result) -> str:
    return str(result.view()["requestState"])


@given(st.text())
def test_an_upstreams_state_comes_back_to_it_as_it_was(state: str) -> None:
    world, result = World(), asking()
    result.asked = Asked({"who": Question("roots/list")}, state)

    resumed = world.here.open(retry(state_of(world.here.seal(first(), result))))

    assert resumed == Resumed("c-1", "", state, "", ADD.server, round=1, free=True)


def test_only_the_state_of_a_result_is_another_one() -> None:
    sealed = World().here.seal(first(), asking())

    assert jsonrpc.replaced(sealed.raw, {"requestState": None}) == ASKING
    assert sealed.asked is not None


@pytest.mark.requirement("handles:bound-to-caller-and-request")
@pytest.mark.parametrize("field", ANOTHERS)
def test_the_state_of_somebody_else_is_none(field: str) -> None:
    world = World()
    state = state_of(world.here.seal(first(), asking()))

    with pytest.raises(InvalidState):
        world.here.open(retry(state, principal=ANOTHERS[field]))


def test_a_new_token_with_other_roles_and_scopes_may_bring_it_back() -> None:
    world = World()
    state = state_of(world.here.seal(first(), asking()))
    renewed = replace(ALICE, roles=frozenset({"other"}), scopes=frozenset({"x"}))

    assert world.here.open(retry(state, principal=renewed)).parent == "c-1"


@pytest.mark.requirement("handles:bound-to-caller-and-request")
@pytest.mark.parametrize(
    "changes",
    [
        {"params": {**PARAMS, "arguments": {"a": 2}}},
        {"params": {**PARAMS, "name": "github__delete_repo"}},
        {"params": {**PARAMS, "more": 1}},
        {"method": "prompts/get"},
    ],
)
def test_a_state_is_of_one_request(changes: dict[str, Any]) -> None:
    world = World()
    state = state_of(world.here.seal(first(), asking()))

    with pytest.raises(InvalidState):
        world.here.open(retry(state, **changes))


def test_what_each_request_says_anew_is_no_part_of_it() -> None:
    world = World()
    state = state_of(
        world.here.seal(first(params={**PARAMS, "_meta": {"progressToken": 1}}), asking())
    )

    params = {"_meta": {"progressToken": 2}, "arguments": {"a": 1}, "name": "github__add"}

    assert world.here.open(retry(state, params=params)).parent == "c-1"


@pytest.mark.requirement("handles:one-wording")
@pytest.mark.parametrize("state", [None, 7, "", [], {}, "nonsense", "AAAA" * 40])
def test_what_is_no_state_is_refused_like_anothers(state: Any) -> None:
    world = World()
    sealed = state_of(world.here.seal(first(), asking()))
    said = []
    for made in (retry(state), retry(sealed, principal=ANOTHERS["subject"]), retry(sealed[:-1])):
        with pytest.raises(InvalidState) as refused:
            world.here.open(made)
        said.append((refused.value.reason, refused.value.rule))

    assert len(set(said)) == 1


def test_a_state_of_another_installation_is_none() -> None:
    state = state_of(Handles(b"o" * 32, lambda: 600.0).seal(first(), asking()))

    with pytest.raises(InvalidState):
        World().here.open(retry(state))


@pytest.mark.requirement("handles:expire")
def test_after_ten_minutes_it_has_expired() -> None:
    world = World()
    state = state_of(world.here.seal(first(), asking()))

    world.now += 599.9
    assert world.here.open(retry(state)).parent == "c-1"
    world.now += 0.1
    with pytest.raises(QuestionExpired, match="call again"):
        world.here.open(retry(state))


@pytest.mark.requirement("handles:expire")
def test_what_waits_in_another_worker_has_expired_and_a_state_alone_has_not() -> None:
    world = World()
    parked = state_of(world.here.seal(first(), asking(FakeParked())))
    alone = state_of(world.here.seal(first(), asking()))

    with pytest.raises(QuestionExpired):
        world.there.open(retry(parked))
    assert world.there.open(retry(alone)).free is False


@pytest.mark.requirement("handles:charged-once")
def test_an_answer_is_free_once_and_charged_when_it_comes_again() -> None:
    world = World()
    state = state_of(world.here.seal(first(), asking()))

    assert [world.here.open(retry(state)).free for _ in range(3)] == [True, False, False]


@pytest.mark.requirement("handles:charged-once")
def test_no_chain_of_questions_goes_on_for_ever_without_being_charged() -> None:
    world, made, free = World(), first(), list[bool]()
    for _ in range(FREE_ROUNDS + 3):
        answer = retry(state_of(world.here.seal(made, asking())))
        answer.resumed = world.here.open(answer)
        free.append(answer.resumed.free)
        made = answer

    assert free == [True] * FREE_ROUNDS + [False] * 3


def test_what_is_forgotten_for_room_counts_as_come_before() -> None:
    spent = Spent(most=2)

    assert [spent.first(n, u, 0) for n, u in (("a", 10), ("b", 11), ("c", 12))] == [True] * 3
    assert not spent.first("a", 10, 0)
    assert not spent.first("of the same time", 10, 0)
    assert spent.first("later", 13, 0)


def test_what_has_expired_makes_room() -> None:
    spent = Spent(most=2)
    for name in ("a", "b"):
        spent.first(name, 10, 0)

    assert spent.first("c", 20, 15)
    assert spent.first("d", 16, 15)


TASK = b'{"resultType":"task","taskId":"of the upstream","status":"working"}'


def began(world: World, made: Call | None = None) -> str:
    result = jsonrpc.body(TASK, asked=Asked({}))
    return str(world.here.seal(made or first(), result).view()["taskId"])


@pytest.mark.requirement("handles:tasks-are-their-callers")
def test_a_task_is_known_to_its_caller_by_another_name() -> None:
    world = World()
    task = began(world)

    assert task.startswith(TASK_MARK)
    for handles in (world.here, world.there):
        resumed = handles.open(resolved(method="tasks/get", params={"taskId": task}))
        assert resumed == Resumed(task="of the upstream", server="github", tool="add")


@pytest.mark.requirement("handles:tasks-are-their-callers")
@pytest.mark.parametrize("id_", [None, 7, "", "of the upstream", "t1.", "t1.AAAA"])
def test_a_task_by_any_other_id_is_none(id_: Any) -> None:
    with pytest.raises(InvalidState):
        World().here.open(resolved(method="tasks/cancel", params={"taskId": id_}))


@pytest.mark.requirement("handles:tasks-are-their-callers")
@pytest.mark.parametrize("field", ANOTHERS)
def test_a_task_of_somebody_else_is_none(field: str) -> None:
    world = World()
    asked = resolved(method="tasks/get", params={"taskId": began(world)}, principal=ANOTHERS[field])

    with pytest.raises(InvalidState):
        world.here.open(asked)


def test_a_state_is_no_task_and_a_task_no_state() -> None:
    world = World()
    state, task = state_of(world.here.seal(first(), asking())), began(world)

    with pytest.raises(InvalidState):
        world.here.open(retry(task.removeprefix(TASK_MARK)))
    with pytest.raises(InvalidState):
        world.here.open(resolved(method="tasks/get", params={"taskId": TASK_MARK + state}))


def test_a_task_keeps_the_name_that_its_caller_knows() -> None:
    world = World()
    task = began(world)
    asked = resolved(method="tasks/get", params={"taskId": task})

    named = world.here.seal(asked, jsonrpc.body(TASK, asked=Asked({})))
    unnamed = world.here.seal(asked, jsonrpc.body(b'{"resultType":"complete"}', asked=Asked({})))

    assert named.view()["taskId"] == task
    assert unnamed.raw == b'{"resultType":"complete"}'


def test_a_result_that_asks_nothing_is_the_same() -> None:
    result = jsonrpc.body(b'{"content":[]}')

    assert World().here.seal(first(), result) is result


@pytest.mark.requirement("attack:f5")
def test_a_state_is_the_gateways_own_only_where_the_gateway_asked() -> None:
    world, theirs, ours = World(), asking(), asking()
    ours.asked = Asked({"connect": Question("elicitation/create")}, own=True)

    of_upstream = world.here.open(retry(state_of(world.here.seal(first(), theirs))))
    own = state_of(world.here.seal(first(), ours))

    assert not of_upstream.own
    assert world.here.open(retry(own)).own
    for forged in (own[:-2] + "AA", own.swapcase(), '{"own":true}'):
        with pytest.raises(InvalidState):
            world.here.open(retry(forged))
    with pytest.raises(InvalidState):
        world.here.open(retry(own, params={**PARAMS, "arguments": {"a": 2}}))
