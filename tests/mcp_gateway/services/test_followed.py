"""The tasks of a listen: whose they are, and how a state of one passes to its listener."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from mcp_gateway.core.asking import Asked
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call, Next
from mcp_gateway.core.change import Change
from mcp_gateway.core.errors import MissingCapability, UpstreamFailed
from mcp_gateway.core.snapshot import Snapshot
from mcp_gateway.core.target import Target
from mcp_gateway.services import followed
from mcp_gateway.services.followed import Followed
from mcp_gateway.services.handles import Handles
from mcp_gateway.stages.resolve import resolve
from mcp_gateway.wire import jsonrpc, modern
from tests.support import calls
from tests.support.fakes import DENIED, FakePolicy

ABLE: Mapping[str, Any] = {modern.META_CAPABILITIES: {"extensions": {modern.TASKS: {}}}}
KEY = b"k" * 32
STATE = b'{"taskId":"t-1","status":"working"}'


def listen(**changes: Any) -> Call:
    params = {"notifications": {}, "_meta": ABLE}
    return calls.call("subscriptions/listen", changes.pop("params", params), **changes)


def handles() -> Handles:
    return Handles(KEY, lambda: 600.0)


def sealed(task: str = "t-1", **changes: Any) -> str:
    """What the caller knows a task of `github__add` by."""
    began = jsonrpc.body(jsonrpc.encode({"resultType": "task", "taskId": task}), asked=Asked({}))
    return str(handles().seal(calls.resolved(**changes), began).view()["taskId"])


def following(call: Call, *tasks: str, world: Snapshot | None = None) -> Followed:
    found = Followed(call, handles(), resolve)
    found.add(tasks, world or call.snapshot)
    return found


@pytest.mark.requirement("tasks:states-are-told-to-nobody-else")
def test_of_all_that_is_asked_for_only_the_callers_own_is_followed() -> None:
    mine, twin = sealed(), sealed()
    bobs = sealed("t-2", principal=replace(calls.ALICE, subject="bob"))
    found = following(listen(), mine, bobs, "t-1", "t1.AAAA", twin)

    assert list(found) == [mine, twin]
    assert (found.servers, found.of("github")) == (["github"], ["t-1"])
    assert found.known(Change("task", "github", "t-1")) == [mine, twin]
    assert found.known(Change("task", "orders", "t-1")) == []


@pytest.mark.requirement("tasks:states-are-governed")
@pytest.mark.parametrize(
    "world",
    [
        calls.snapshot(policy=FakePolicy(DENIED)),
        calls.snapshot(targets=[replace(calls.ADD, requires=frozenset({"more"}))]),
        calls.snapshot(targets=[Target("tool", "github", "sub")]),
    ],
    ids=["denied", "scope", "gone"],
)
def test_what_may_not_be_asked_for_now_is_not_followed(world: Snapshot) -> None:
    assert list(following(listen(), sealed(), world=world)) == []


def test_at_one_servers_endpoint_no_other_servers_task_is_followed() -> None:
    there, elsewhere = listen(endpoint="github"), listen(endpoint="orders")
    task = sealed()

    assert [list(following(call, task)) for call in (there, elsewhere)] == [[task], []]


def test_what_its_server_does_not_tell_of_is_left_out() -> None:
    one, two = sealed("t-1"), sealed("t-2")
    found = following(listen(), one, two)
    found.keep("github", lambda task: task == "t-2")

    assert list(found) == [two]


def test_who_declares_no_tasks_is_told_what_to_declare() -> None:
    call = listen(params={"_meta": {}})

    with pytest.raises(MissingCapability) as refused:
        followed.wanted(call, {"taskIds": ["t"]})
    assert refused.value.required == {"extensions": {modern.TASKS: {}}}
    assert followed.wanted(call, {"taskIds": []}) == ()
    assert followed.wanted(listen(), {"taskIds": ["a", "b", "a"]}) == ("a", "b")


async def _heard(call: Call, said: Next) -> Result:
    """What is heard is heard: the stages let it pass."""
    call.target = calls.ADD
    return await said(call)


@pytest.mark.requirement("tasks:states-are-governed")
async def test_a_state_is_heard_as_the_answer_to_a_call_beneath_the_listen() -> None:
    heard = list[Call]()

    async def hear(call: Call, said: Next) -> Result:
        heard.append(call)
        return await _heard(call, said)

    world = calls.snapshot(hear=hear)
    call = listen(snapshot=world)
    task = sealed()
    found = following(call, task)
    results = [await found.seen(task, STATE, world) for _ in range(2)]

    assert [result.raw for result in results] == [STATE, STATE]
    assert [(c.method, c.parent, c.principal) for c in heard] == [
        ("tasks/get", call.id, call.principal)
    ] * 2
    assert len({call.id, *(c.id for c in heard)}) == 3
    assert heard[0].params.view() == {"taskId": task, "_meta": ABLE}


@pytest.mark.parametrize(
    "raw",
    [
        b'{"taskId":"t-1","inputRequests":[]}',
        b'{"taskId":"t-1","taskId":"t-2"}',
        b'{"taskId":"t-1","resultType":"input_required"}',
        b'{"taskId":"t-1","inputRequests":{"a":{"method":"tools/call"}}}',
    ],
)
async def test_a_state_that_two_could_read_as_two_is_the_upstreams_failure(raw: bytes) -> None:
    world = calls.snapshot(hear=_heard)
    call = listen(snapshot=world)

    with pytest.raises(UpstreamFailed):
        await following(call, sealed()).seen(sealed(), raw, world)
