"""Tasks that are listened to, through the whole gateway: their owner hears of them, nobody else."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mcp_gateway.config import load
from mcp_gateway.wire import jsonrpc, modern
from tests.connectors.http import EVENTS, Asked, Raw, error, raw_upstream, result
from tests.support.gateway import GatewayUnderTest, gateway_under_test
from tests.support.listener import Listener, listening
from tests.support.waiting import until

TOLD = "notifications/tasks"
CAPABLE: Mapping[str, Any] = {
    "extensions": {modern.TASKS: {}},
    "elicitation": {"form": {}},
    "sampling": {},
}
RULES = """
p, 1, no-samples, role:user, *, */*/*,            sampling/createMessage, , deny,
p, 2, uses,       role:user, *, tool/up/*,        *,                      , allow,
p, 2, waits,      role:user, *, task/up/*,        tasks/get,              , allow,
p, 2, is-asked,   role:user, *, */*/*,            elicitation/create,     , allow,
p, 2, listens,    role:user, *, subscription/*/*, *,                      , allow,
"""
CONFIG = """
[policy]
rules = ["rules.csv"]

[servers.up]
connector = "mcp_http"
url = "@URL@"
guard = "strict"
"""
SECRET = "ghp_" + "a1B2" * 9
NAME = {"mode": "form", "message": "Who are you?", "requestedSchema": {"type": "object"}}
ELICIT = {"method": "elicitation/create", "params": NAME}
DIG = {"name": "dig", "inputSchema": {"type": "object"}}
SAMPLE = {"method": "sampling/createMessage", "params": {"messages": [], "maxTokens": 1}}


@dataclass
class Workshop:
    """An upstream whose calls are tasks, and that tells who listens of those that it knows."""

    states: dict[str, dict[str, Any]] = field(default_factory=dict)
    listens: list[Asked] = field(default_factory=list)
    silent: set[str] = field(default_factory=set)
    """Tasks that it tells nobody of."""

    def __call__(self, asked: Asked) -> bytes:
        params = asked.message["params"]
        match asked.method:
            case "tools/list":
                return result(asked, {"tools": [DIG]})
            case "tools/call":
                task = f"dig-{len(self.states) + 1}"
                self.states[task] = {"taskId": task, "status": "working"}
                return result(asked, {"resultType": "task", **self.states[task]})
            case "tasks/get":
                return result(asked, {"resultType": "complete", **self.states[params["taskId"]]})
            case "subscriptions/listen":
                return self._listen(asked)
            case _:
                return error(asked, -32601)

    def _listen(self, asked: Asked) -> bytes:
        wanted = dict(asked.message["params"]["notifications"])
        if "taskIds" in wanted:
            wanted["taskIds"] = [t for t in wanted["taskIds"] if t not in self.silent]
        said = {"notifications": wanted, "_meta": {modern.META_SUBSCRIPTION: asked.message["id"]}}
        method = "notifications/subscriptions/acknowledged"
        self.listens.append(asked)
        return EVENTS + b"data: %b\n\n" % jsonrpc.notification(method, jsonrpc.encode(said))

    @property
    def followed(self) -> list[str]:
        """The tasks of the listen that is open."""
        wanted = self.listens[-1].message["params"]["notifications"] if self.listens else {}
        return list(wanted.get("taskIds", ()))

    def move(self, task: str, status: str, **more: Any) -> None:
        """Brings a task into another state, and says so."""
        self.states[task] = {"taskId": task, "status": status, **more}
        meta = {modern.META_SUBSCRIPTION: self.listens[-1].message["id"], "vendor/own": 1}
        said = jsonrpc.encode({**self.states[task], "_meta": meta})
        self.listens[-1].say(jsonrpc.notification(TOLD, said))


@dataclass
class World:
    gateway: GatewayUnderTest
    workshop: Workshop
    raw: Raw

    def following(
        self, *tasks: str, who: str = "alice", path: str = "/mcp", **options: Any
    ) -> AbstractAsyncContextManager[Listener]:
        return _following(self.gateway, tasks, who, path, options)

    async def ask(
        self, method: str, named: str, *, who: str = "alice", path: str = "/mcp", **params: Any
    ) -> dict[str, Any]:
        """The message that answers."""
        headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": method, "mcp-name": named}
        meta = {modern.META_VERSION: modern.REVISION, modern.META_CAPABILITIES: CAPABLE}
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
        async with self.gateway.http(who) as http:
            answer: dict[str, Any] = (await http.post(path, json=message, headers=headers)).json()
        return answer

    async def began(self) -> str:
        """What Alice knows a new task by."""
        answer = await self.ask("tools/call", "up__dig", name="up__dig", arguments={})
        assert "result" in answer, answer
        return str(answer["result"]["taskId"])

    def entries(self, kind: str) -> list[Mapping[str, Any]]:
        return [line for line in self.gateway.entries() if line["kind"] == kind]


@asynccontextmanager
async def _following(
    gateway: GatewayUnderTest,
    tasks: tuple[str, ...],
    who: str,
    path: str,
    options: dict[str, Any],
) -> AsyncIterator[Listener]:
    said = {"capabilities": CAPABLE, "path": path, **options}
    async with gateway.http(who) as http, listening(http, {"taskIds": list(tasks)}, **said) as ear:
        yield ear


def honoured(frame: Any) -> Any:
    assert frame["method"] == "notifications/subscriptions/acknowledged"
    return frame["params"]["notifications"]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    workshop = Workshop()
    (tmp_path / "var").mkdir(mode=0o700)
    (tmp_path / "var" / "rules.csv").write_text(RULES)
    async with (
        raw_upstream(workshop) as raw,
        gateway_under_test(tmp_path, CONFIG.replace("@URL@", raw.url)) as gateway,
    ):
        gateway.key("bob", "user")
        await gateway.parts.keyring.refresh()
        await gateway.serving("up")
        await until(gateway.parts.listens.attendance._interest("up").settled.is_set)
        yield World(gateway, workshop, raw)


@pytest.mark.requirement("tasks:states-are-told")
@pytest.mark.parametrize("path", ["/mcp", "/servers/up/mcp"])
async def test_who_began_a_task_is_told_each_state_of_it_by_the_id_that_they_know(
    world: World, path: str
) -> None:
    task = await world.began()
    whole = {"content": [{"type": "text", "text": "dug"}]}
    async with world.following(task, path=path, id_="seven") as listen:
        acknowledged = await listen.frame()
        world.workshop.move("dig-1", "working", statusMessage="digging")
        digging = await listen.frame()
        world.workshop.move("dig-1", "completed", result=whole)
        completed = await listen.frame()

    assert honoured(acknowledged) == {"taskIds": [task]}
    assert world.workshop.listens[0].message["params"]["notifications"].get("taskIds") is None
    assert digging["params"] == {
        "taskId": task,
        "status": "working",
        "statusMessage": "digging",
        "_meta": {modern.META_SUBSCRIPTION: "seven", "vendor/own": 1},
    }
    assert (completed["method"], completed["params"]["taskId"]) == (TOLD, task)
    assert completed["params"]["result"] == whole


@pytest.mark.requirement("tasks:states-are-told")
async def test_an_upstream_is_asked_for_its_own_ids_for_as_long_as_somebody_listens(
    world: World,
) -> None:
    one, two = await world.began(), await world.began()
    async with world.following(one, one, two) as listen:
        await listen.frame()
        during = world.workshop.followed
        declared = world.workshop.listens[-1].message["params"]["_meta"][modern.META_CAPABILITIES]
        async with world.following(two) as other:
            await other.frame()
            world.workshop.move("dig-2", "completed")
            both = [(await each.frame())["params"]["taskId"] for each in (listen, other)]
    await until(lambda: not world.workshop.followed)

    assert during == ["dig-1", "dig-2"]
    assert declared == {"extensions": {modern.TASKS: {}}}
    assert both == [two, two]


@pytest.mark.requirement("tasks:states-are-told-to-nobody-else")
async def test_of_anothers_task_and_of_none_nothing_is_acknowledged_and_nothing_told(
    world: World,
) -> None:
    task = await world.began()
    altered = task[:-1] + ("A" if task[-1] != "A" else "B")
    before = len(world.workshop.listens)
    async with (
        world.following(task, who="bob") as bobs,
        world.following("dig-1", altered, "t1.", "\x00") as guessed,
        world.following(task, path="/servers/gateway/mcp") as elsewhere,
    ):
        listens = [bobs, guessed, elsewhere]
        acknowledged = [honoured(await each.frame()) for each in listens]
        untouched = len(world.workshop.listens)
        async with world.following(task) as hers:
            await hers.frame()
            world.workshop.move("dig-1", "completed")
            await hers.frame()
        world.gateway.parts.standing.close()
        rest = [frame for each in listens for frame in await each.rest()]

    assert acknowledged == [{}, {}, {}]
    assert before == untouched
    assert [frame["result"]["resultType"] for frame in rest] == ["complete"] * 3


@pytest.mark.requirement("tasks:states-are-told")
async def test_what_an_upstream_does_not_tell_of_is_not_promised(world: World) -> None:
    one, two = await world.began(), await world.began()
    world.workshop.silent.add("dig-1")
    async with world.following(one, two) as listen:
        acknowledged = honoured(await listen.frame())
        await until(lambda: world.workshop.followed == ["dig-2"])

    assert acknowledged == {"taskIds": [two]}


@pytest.mark.requirement("tasks:states-are-told")
async def test_who_does_not_declare_tasks_may_not_listen_to_one(world: World) -> None:
    task = await world.began()
    async with world.following(task, capabilities={"elicitation": {}}) as listen:
        answer = json.loads(await listen.response.aread())

    refusal = answer["error"]
    assert (listen.response.status_code, refusal["code"]) == (400, -32021)
    assert refusal["data"]["requiredCapabilities"] == {"extensions": {modern.TASKS: {}}}


@pytest.mark.requirement("tasks:states-are-governed")
async def test_a_state_that_a_guard_denies_is_recorded_and_not_told(world: World) -> None:
    task = await world.began()
    leak = {"content": [{"type": "text", "text": SECRET}]}
    async with world.following(task) as listen:
        await listen.frame()
        world.workshop.move("dig-1", "completed", result=leak)
        await until(lambda: _outcomes(world) == ["blocked"])
        world.workshop.move("dig-1", "cancelled")
        told = await listen.frame()
    polled = await world.ask("tasks/get", task, taskId=task)

    assert told["params"]["status"] == "cancelled"
    assert _outcomes(world)[:2] == ["blocked", "ok"]
    assert polled["result"]["status"] == "cancelled"


@pytest.mark.requirement("tasks:states-are-governed")
async def test_every_state_that_is_told_is_an_entry_beneath_its_listen(world: World) -> None:
    task = await world.began()
    async with world.following(task) as listen:
        await listen.frame()
        world.workshop.move("dig-1", "completed")
        await listen.frame()
    await until(lambda: world.gateway.outcomes(listens=True))
    (heard,) = _heard(world)
    (listened,) = world.gateway.outcomes(listens=True)

    assert (heard["target"], heard["rule"]) == ("task/up/dig", "waits")
    assert heard["parent"] == listened["call"]
    assert (listened["notified"], listened["ended"]) == (1, "left")


@pytest.mark.requirement("tasks:states-are-governed")
async def test_rules_that_change_hold_for_the_next_state(world: World) -> None:
    task = await world.began()
    home = world.gateway.parts.home
    closed = "p, 1, no-waits, role:user, *, task/up/dig, *, , deny,\n"
    async with world.following(task) as listen:
        await listen.frame()
        (home.folder / "rules.csv").write_text(closed + RULES)
        await world.gateway.take(load(home.config, {}))
        world.workshop.move("dig-1", "working")
        await until(lambda: _outcomes(world) == ["forbidden"])
        (home.folder / "rules.csv").write_text(RULES)
        await world.gateway.take(load(home.config, {}))
        world.workshop.move("dig-1", "completed")
        told = await listen.frame()
        (home.folder / "rules.csv").write_text(closed + RULES)
        await world.gateway.take(load(home.config, {}))
        async with world.following(task) as late:
            acknowledged = honoured(await late.frame())

    assert (told["params"]["status"], acknowledged) == ("completed", {})


@pytest.mark.requirement("tasks:states-are-governed")
async def test_a_question_that_may_not_be_asked_is_not_told_and_one_that_may_is(
    world: World,
) -> None:
    task = await world.began()
    async with world.following(task) as listen:
        await listen.frame()
        world.workshop.move("dig-1", "input_required", inputRequests={"s": SAMPLE})
        await until(lambda: _outcomes(world) == ["forbidden"])
        world.workshop.move("dig-1", "input_required", inputRequests={"who": ELICIT})
        told = await listen.frame()

    assert told["params"]["inputRequests"] == {"who": ELICIT}
    assert [(e["method"], e["rule"]) for e in world.entries("asked")] == [
        ("sampling/createMessage", "no-samples"),
        ("elicitation/create", "is-asked"),
    ]


@pytest.mark.requirement("tasks:questions-recorded-once")
async def test_a_question_is_recorded_once_however_often_it_is_looked_at(world: World) -> None:
    task = await world.began()
    async with world.following(task) as listen:
        await listen.frame()
        world.workshop.move("dig-1", "input_required", inputRequests={"who": ELICIT})
        await listen.frame()
    home = world.gateway.parts.home
    await world.gateway.take(load(home.config, {}))
    for _ in range(3):
        await world.ask("tasks/get", task, taskId=task)
    once = len(world.entries("asked"))
    again = {**ELICIT, "params": {**NAME, "message": "And your password?"}}
    world.workshop.states["dig-1"]["inputRequests"] = {"who": again, "what": ELICIT}
    for _ in range(2):
        await world.ask("tasks/get", task, taskId=task)

    polls = [line for line in world.gateway.outcomes() if line["method"] == "tasks/get"]
    assert (once, len(world.entries("asked"))) == (1, 3)
    assert [line.get("asked_before", 0) for line in polls] == [0, 1, 1, 1, 0, 2]


@pytest.mark.requirement("listens:slow-ones-hold-up-nobody")
async def test_of_many_states_in_a_moment_the_last_is_told(world: World) -> None:
    task = await world.began()
    async with world.following(task) as listen:
        await listen.frame()
        for number in range(50):
            world.workshop.move("dig-1", "working", statusMessage=str(number))
        world.workshop.move("dig-1", "completed")
        told = [await listen.frame()]
        while told[-1]["params"]["status"] != "completed":
            told.append(await listen.frame())

    assert len(told) <= 3


@pytest.mark.requirement("tasks:states-are-told-to-nobody-else")
async def test_a_state_of_a_task_that_nobody_listens_to_is_told_to_nobody(world: World) -> None:
    one, _ = await world.began(), await world.began()
    async with world.following(one) as listen:
        await listen.frame()
        for task in ("dig-2", one, "dig-1"):
            world.workshop.move(task, "completed")
        told = await listen.frame()
        world.gateway.parts.standing.close()
        rest = await listen.rest()

    assert (told["params"]["taskId"], len(rest)) == (one, 1)
    assert len(_heard(world)) == 1


def _heard(world: World) -> list[Mapping[str, Any]]:
    return [line for line in world.gateway.outcomes() if line.get("heard")]


def _outcomes(world: World) -> list[Any]:
    return [line["outcome"] for line in _heard(world)]
