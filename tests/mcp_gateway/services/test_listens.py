"""Listens at the chain's end: a world that changes, and who is told."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.core.asking import Asked
from mcp_gateway.core.body import Body, Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.change import Change
from mcp_gateway.core.decision import Prospect
from mcp_gateway.core.errors import InvalidRequest, Throttled
from mcp_gateway.core.snapshot import Current
from mcp_gateway.core.target import Target
from mcp_gateway.services import followed, listens
from mcp_gateway.services.attendance import Attendance
from mcp_gateway.services.bulletin import Bulletin
from mcp_gateway.services.handles import Handles
from mcp_gateway.services.listens import METHOD, UPDATED, Listens
from mcp_gateway.stages.resolve import resolve
from mcp_gateway.wire import jsonrpc, modern
from tests.support import calls
from tests.support.calls import Inbox
from tests.support.fakes import FakePolicy
from tests.support.waiting import until

ALL = {"toolsListChanged": True, "promptsListChanged": True, "resourcesListChanged": True}
README = calls.README.name
TOOLS_CHANGED = "notifications/tools/list_changed"


class Room:
    """Everybody who listens, and what changes."""

    def __init__(self, **bounds: int) -> None:
        self.current = Current()
        self.bulletin = Bulletin()
        self.attendance = Attendance(self.bulletin)
        self.attendance._followed.add("github")
        self.handles = Handles(b"k" * 32, lambda: 600.0)
        self.listens = Listens(self.current, self.attendance, resolve, self.handles, **bounds)
        self.world()

    def world(self, **prospects: Prospect) -> None:
        """Puts a snapshot in force in which these targets come to that."""
        named = {name.replace("__", "/"): value for name, value in prospects.items()}
        self.current.swap(calls.snapshot(policy=FakePolicy(prospects=named)))

    def call(self, wanted: Any, **said: Any) -> Call:
        world = self.current.of("acme")
        extensions: dict[str, Any] = {modern.TASKS: {}} if said.pop("able", False) else {}
        meta = {modern.META_CAPABILITIES: {"extensions": extensions}}
        params = {"notifications": wanted, "_meta": meta}
        made = calls.call(METHOD, params, snapshot=world, **said)
        made.target = resolve(made)
        return made

    def sealed(self, task: str) -> str:
        """What Alice knows a task by."""
        raw = jsonrpc.encode({"resultType": "task", "taskId": task})
        result = self.handles.seal(calls.resolved(), jsonrpc.body(raw, asked=Asked({})))
        return str(result.view()["taskId"])

    @asynccontextmanager
    async def listening(self, wanted: Any, **said: Any) -> AsyncIterator["Ear"]:
        call = self.call(wanted, **said)
        ear = Ear(call)
        call.notify = ear.inbox
        task = asyncio.get_running_loop().create_task(self.listens.run(call))
        await until(lambda: ear.inbox.messages or task.done())
        try:
            yield ear
        finally:
            self.listens.end(call.id, "left")
            ear.result = await task


class Ear:
    """Who listens."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.inbox = Inbox()
        self.result: Result | None = None

    @property
    def acknowledged(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = json.loads(self.inbox.messages[0])["params"]["notifications"]
        return found

    @property
    def told(self) -> list[tuple[str, str]]:
        found = [json.loads(message) for message in self.inbox.messages[1:]]
        return [(message["method"], message["params"].get("uri", "")) for message in found]


@pytest.mark.requirement("listens:acknowledged-first")
async def test_what_is_honoured_is_acknowledged_and_nothing_else() -> None:
    room = Room()
    wanted = {"toolsListChanged": True, "promptsListChanged": "yes", "else": 1}
    async with room.listening(wanted) as ear:
        pass

    assert ear.acknowledged == {"toolsListChanged": True}
    assert (ear.call.facts, len(room.listens)) == ({"notified": 0, "ended": "left"}, 0)
    assert ear.result is not None
    assert ear.result.view() == {"resultType": "complete"}


@pytest.mark.parametrize(
    "wanted",
    [None, [], "all", {"resourceSubscriptions": "x"}, {"resourceSubscriptions": [1]},
     {"resourceSubscriptions": [""]}, {"resourceSubscriptions": {"a": 1}},
     {"resourceSubscriptions": [f"a://{n}" for n in range(listens.MOST_URIS + 1)]},
     {"taskIds": "t"}, {"taskIds": [7]}, {"taskIds": [""]}, {"taskIds": {"t": 1}},
     {"taskIds": [str(n) for n in range(followed.MOST + 1)]}],
)  # fmt: skip
async def test_a_filter_that_is_none_is_refused(wanted: Any) -> None:
    room = Room()
    with pytest.raises(InvalidRequest):
        await room.listens.run(room.call(wanted))

    assert len(room.listens) == 0


@pytest.mark.requirement("listens:bounded")
async def test_the_bounds_are_of_one_identity_and_of_all() -> None:
    room = Room(most=2, each=1)
    bob = calls.ALICE.__class__(issuer="local", subject="bob", tenant="acme")
    eve = calls.ALICE.__class__(issuer="local", subject="eve", tenant="acme")
    async with room.listening(ALL, id="1"), room.listening(ALL, id="2", principal=bob):
        for who in (calls.ALICE, eve):
            with pytest.raises(Throttled):
                await room.listens.run(room.call(ALL, id="3", principal=who))
    async with room.listening(ALL, id="4") as again:
        pass

    assert again.acknowledged == ALL


async def test_of_announcements_those_are_told_who_may_know_of_the_server() -> None:
    room = Room()
    hidden: dict[str, Prospect] = {"catalog/orders/tools/list": "deny"}
    room.current.swap(calls.snapshot(policy=FakePolicy(prospects=hidden)))
    async with (
        room.listening(ALL, id="1") as everywhere,
        room.listening(ALL, id="2", endpoint="github") as there,
        room.listening(ALL, id="3", endpoint="orders") as elsewhere,
        room.listening({"promptsListChanged": True}, id="4") as other,
    ):
        room.bulletin.publish(Change("tools", "orders"))
        room.bulletin.publish(Change("tools", "github"))
        await until(lambda: everywhere.told and there.told)

    assert everywhere.told == there.told == [(TOOLS_CHANGED, "")]
    assert (elsewhere.told, other.told) == ([], [])


@pytest.mark.requirement("listens:policy-changes-are-told")
async def test_who_sees_another_list_after_a_swap_is_told_and_nobody_else() -> None:
    room = Room()
    following = asyncio.get_running_loop().create_task(room.listens.follow())
    async with (
        room.listening(ALL, id="1") as here,
        room.listening(ALL, id="2", endpoint="orders") as elsewhere,
    ):
        room.world(tool__github__add="deny")
        await until(lambda: here.told)
        room.current.swap_keyring(room.current.keyring)
        for _ in range(10):
            await asyncio.sleep(0)
    following.cancel()

    assert here.told == [(TOOLS_CHANGED, "")]
    assert elsewhere.told == []


@pytest.mark.requirement("listens:only-of-what-may-be-read")
async def test_of_a_resource_only_its_readers_are_told_for_as_long_as_they_are() -> None:
    room = Room()
    wanted = {"resourceSubscriptions": [README, README, "repo://x/y", "mail://none"]}
    async with room.listening(wanted) as ear:
        for name in (README, f"{README}/part", f"{README}x", "repo://x/y", "other://a"):
            room.bulletin.publish(Change("resource", "github", name))
        room.bulletin.publish(Change("resource", "orders", README))
        await until(lambda: len(ear.told) == 3)
        room.current.swap(
            calls.snapshot(policy=FakePolicy(prospects={f"resource/github/{README}": "deny"}))
        )
        room.bulletin.publish(Change("resource", "github", README))
        room.bulletin.publish(Change("resource", "github", "repo://x/y"))
        await until(lambda: len(ear.told) == 4)

    assert ear.acknowledged == {"resourceSubscriptions": [README, "repo://x/y"]}
    assert [uri for method, uri in ear.told if method == UPDATED] == [
        README,
        f"{README}/part",
        "repo://x/y",
        "repo://x/y",
    ]


@pytest.mark.requirement("listens:only-of-what-may-be-read")
async def test_nothing_is_promised_of_a_server_that_says_nothing_or_a_scope_that_is_missing() -> (
    None
):
    room = Room()
    room.attendance._followed.clear()
    async with room.listening({"resourceSubscriptions": [README]}) as silent:
        pass
    room.attendance._followed.add("github")
    scoped = Target("resource", "github", README, "sha256:r", requires=frozenset({"repo:read"}))
    room.current.swap(calls.snapshot(targets=[scoped]))
    async with room.listening({"resourceSubscriptions": [README]}) as lacking:
        pass

    assert silent.acknowledged == lacking.acknowledged == {}


@pytest.mark.requirement("listens:slow-ones-hold-up-nobody")
async def test_who_is_slow_to_listen_holds_up_nobody_and_keeps_next_to_nothing() -> None:
    room = Room()
    stuck = asyncio.Event()

    async def slow(message: Body) -> None:
        if b"acknowledged" not in message.raw:
            await stuck.wait()

    call = room.call({**ALL, "resourceSubscriptions": [README]}, id="slow")
    call.notify = slow
    task = asyncio.get_running_loop().create_task(room.listens.run(call))
    await until(lambda: len(room.listens))
    async with room.listening(ALL, id="quick") as quick:
        for _ in range(10_000):
            for of in ("tools", "prompts", "resources"):
                room.bulletin.publish(Change(of, "github"))
            room.bulletin.publish(Change("resource", "github", README))
        await until(lambda: len(quick.told) == 3)
    waiting = len(room.listens._open["slow"].waiting)
    room.listens.end("slow", "revoked")
    stuck.set()
    await task

    assert waiting <= 4
    assert call.facts["ended"] == "revoked"


@pytest.mark.requirement("listens:slow-ones-hold-up-nobody")
async def test_a_listen_ends_of_which_more_states_wait_than_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listens, "MOST_WAITING", 100)
    room = Room()
    room.attendance._attended.add("github")
    room.attendance._interest("github").honoured = frozenset({"t-1", "t-2"})
    room.attendance._interest("github").settled.set()
    room.attendance.ask("github", tasks=["t-1", "t-2"])
    room.attendance._interest("github").settled.set()
    tasks = [room.sealed(task) for task in ("t-1", "t-2")]
    async with room.listening({"taskIds": tasks}, able=True) as ear:
        for _ in range(5):
            room.bulletin.publish(Change("task", "github", "t-1", b"x" * 60))
        before = room.listens._open[ear.call.id].ended
        room.bulletin.publish(Change("task", "github", "t-2", b"x" * 60))

    assert ear.acknowledged == {"taskIds": tasks}
    assert (before, ear.call.facts["ended"]) == ("", "slow")


@pytest.mark.requirement("listens:cost-no-task-each-upstream")
async def test_a_thousand_listens_share_one_look_at_each_upstream() -> None:
    room = Room(each=1000)
    loop = asyncio.get_running_loop()
    made = [room.call(ALL, id=str(n)) for n in range(1000)]
    inbox = Inbox()
    for call in made:
        call.notify = inbox
    before = len(asyncio.all_tasks())
    running = [loop.create_task(room.listens.run(call)) for call in made]
    await until(lambda: len(inbox.messages) == 1000)
    during = len(asyncio.all_tasks())
    room.bulletin.publish(Change("tools", "github"))
    await until(lambda: len(inbox.messages) == 2000)
    for call in made:
        room.listens.end(call.id, "stopping")
    await asyncio.gather(*running)

    assert during - before == 1000, "the calls themselves"
    assert len(room.listens) == 0


def test_a_call_that_does_not_listen_cannot_be_ended() -> None:
    assert Room().listens.end("nobody", "left") is False


@given(st.text("ab/?#", max_size=6), st.text("ab/?#", max_size=4))
def test_a_part_of_a_resource_begins_where_its_own_name_ends(whole: str, more: str) -> None:
    within = listens._within(whole + more, whole)

    assert within == (not more or whole.endswith("/") or more[0] in "/?#")
    assert not listens._within("c" + whole, whole) or whole == ""
