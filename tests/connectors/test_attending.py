"""Upstreams that say by themselves what changed: raw ones, that do it well and badly."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from connectors import attending
from mcp_gateway.core.change import Change, Interest
from mcp_gateway.core.errors import UpstreamFailed, UpstreamTimedOut
from mcp_gateway.wire import jsonrpc
from tests.support.waiting import until

ACKNOWLEDGED = b'{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{}}'


def said(method: str, params: bytes = b"{}") -> jsonrpc.Message:
    return jsonrpc.parse(jsonrpc.notification(method, params))


@pytest.mark.parametrize(
    ("message", "change"),
    [
        (said("notifications/tools/list_changed"), Change("tools", "up")),
        (said("notifications/prompts/list_changed"), Change("prompts", "up")),
        (said("notifications/resources/list_changed"), Change("resources", "up")),
        (
            said("notifications/resources/updated", b'{"uri":"a://b"}'),
            Change("resource", "up", "a://b"),
        ),
        (said("notifications/resources/updated", b'{"uri":7}'), None),
        (said("notifications/resources/updated"), None),
        (
            said("notifications/tasks", b'{"taskId":"t","status":"working"}'),
            Change("task", "up", "t", b'{"taskId":"t","status":"working"}'),
        ),
        (said("notifications/tasks", b'{"taskId":7}'), None),
        (said("notifications/tasks/status", b'{"taskId":"t"}'), None),
        (said("notifications/message"), None),
        (said("notifications/tools/list_changed/x"), None),
    ],
)
def test_a_change_is_what_announces_one(message: jsonrpc.Message, change: Change | None) -> None:
    assert attending.change_of("up", message) == change


@dataclass
class Upstream:
    """A server of 2026-07-28: `mute` acknowledges nothing, `ends` is how a listen ends."""

    mute: bool = False
    ends: jsonrpc.Message | BaseException | None = None
    params: list[bytes] = field(default_factory=list)
    open: int = 0
    most: int = 0
    hear: Callable[[jsonrpc.Message], None] | None = None

    async def __call__(self, params: bytes, heard: attending.Heard) -> jsonrpc.Message:
        self.params.append(params)
        self.open += 1
        self.most = max(self.most, self.open)
        self.hear = heard
        try:
            if not self.mute:
                heard(jsonrpc.parse(ACKNOWLEDGED))
            if isinstance(self.ends, BaseException):
                raise self.ends
            if self.ends is None:
                await asyncio.Event().wait()
            assert self.ends is not None
            return self.ends
        finally:
            self.open -= 1


@pytest.fixture
def interest() -> Interest:
    return Interest()


async def test_a_listen_that_is_widened_is_never_interrupted(interest: Interest) -> None:
    upstream, told = Upstream(), list[Change]()
    task = asyncio.get_running_loop().create_task(
        attending.listen("up", upstream, interest, told.append)
    )
    await until(interest.settled.is_set)
    interest.settled.clear()
    interest.uris = frozenset({"note://b", "note://a"})
    interest.altered.set()
    await until(interest.settled.is_set)
    await until(lambda: upstream.open == 1)
    assert upstream.hear is not None
    upstream.hear(said("notifications/tools/list_changed"))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    lists = b'"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":true'
    assert upstream.params == [
        b'{"notifications":{%b}}' % lists,
        b'{"notifications":{%b,"resourceSubscriptions":["note://a","note://b"]}}' % lists,
    ]
    assert (upstream.most, upstream.open) == (2, 0), "the new one begins before the old one ends"
    assert told == [Change("tools", "up")]


async def test_an_upstream_that_acknowledges_nothing_is_taken_to_listen(
    interest: Interest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attending, "UNACKNOWLEDGED", 0.01)
    task = asyncio.get_running_loop().create_task(
        attending.listen("up", Upstream(mute=True), interest, attending.nobody)
    )
    await until(interest.settled.is_set)
    task.cancel()


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        (jsonrpc.parse(jsonrpc.error(b"1", -32601, "no")), NotImplementedError),
        (jsonrpc.parse(jsonrpc.error(b"1", -32603, "no")), UpstreamFailed),
        (jsonrpc.parse(b'{"jsonrpc":"2.0","id":1,"error":[]}'), UpstreamFailed),
        (jsonrpc.parse(jsonrpc.result(b"1", b"{}")), UpstreamFailed),
        (UpstreamTimedOut("quiet"), UpstreamFailed),
        (UpstreamFailed("gone"), UpstreamFailed),
    ],
)
async def test_the_end_of_a_listen_is_a_failure_and_one_that_is_not_known_is_final(
    interest: Interest, ends: jsonrpc.Message | BaseException, expected: type[BaseException]
) -> None:
    with pytest.raises(expected):
        await attending.listen("up", Upstream(ends=ends), interest, attending.nobody)


@dataclass
class Particular(Upstream):
    """It refuses every listen that is for a task `gone`, and says that it tells of the others."""

    mute: bool = True

    async def __call__(self, params: bytes, heard: attending.Heard) -> jsonrpc.Message:
        wanted = jsonrpc.decode(params)["notifications"].get("taskIds", [])
        if "gone" in wanted:
            self.params.append(params)
            return jsonrpc.parse(jsonrpc.error(b"1", -32602, "no such task"))
        named = jsonrpc.encode({"notifications": {"taskIds": [*wanted, "never asked for", 7]}})
        heard(said(attending.ACKNOWLEDGED, named))
        return await super().__call__(params, heard)

    @property
    def tasks(self) -> list[list[str]]:
        wanted = [jsonrpc.decode(params)["notifications"] for params in self.params]
        return [each.get("taskIds", []) for each in wanted]


@pytest.mark.requirement("listens:one-task-disturbs-nothing-else")
async def test_a_task_that_an_upstream_refuses_costs_neither_the_others_nor_its_lists(
    interest: Interest,
) -> None:
    upstream, told, honoured = Particular(), list[Change](), list[set[str]]()
    task = asyncio.get_running_loop().create_task(
        attending.listen("up", upstream, interest, told.append)
    )
    await until(interest.settled.is_set)
    for tasks in ({"a", "b"}, {"a", "b", "gone"}, {"gone"}, {"a"}):
        interest.tasks = frozenset(tasks)
        interest.settled.clear()
        interest.altered.set()
        await until(interest.settled.is_set)
        honoured.append(set(interest.honoured))
    await until(lambda: upstream.open == 1)
    assert upstream.hear is not None
    upstream.hear(said("notifications/tools/list_changed"))
    task.cancel()

    assert honoured == [{"a", "b"}, {"a", "b"}, set(), {"a"}]
    tried = [[], ["a", "b"], ["a", "b", "gone"], ["a", "b"], ["gone"], [], ["a"]]
    assert upstream.tasks == tried
    assert told == [Change("tools", "up")]


@pytest.mark.parametrize(
    "content", [b"{}", b'{"notifications":[]}', b'{"notifications":{"taskIds":"a"}}']
)
async def test_an_acknowledgement_that_names_no_task_promises_none(
    interest: Interest, content: bytes
) -> None:
    interest.tasks = frozenset({"a"})
    upstream = Upstream(mute=True)

    async def open_(params: bytes, heard: attending.Heard) -> jsonrpc.Message:
        heard(said(attending.ACKNOWLEDGED, content))
        return await upstream(params, heard)

    listening = attending.listen("up", open_, interest, attending.nobody)
    task = asyncio.get_running_loop().create_task(listening)
    await until(interest.settled.is_set)
    task.cancel()

    assert b'"taskIds":["a"]' in upstream.params[0]
    assert interest.honoured == frozenset()


async def silent(heard: attending.Heard) -> None:
    """Says nothing."""
    del heard
    await asyncio.Event().wait()


async def test_a_server_of_the_initialize_era_is_asked_by_difference(interest: Interest) -> None:
    asked = list[tuple[str, bytes]]()

    async def ask(method: str, params: bytes) -> bytes:
        asked.append((method, params))
        if b"bad" in params:
            raise UpstreamFailed("up knows no such resource")
        return b"{}"

    task = asyncio.get_running_loop().create_task(
        attending.stream("up", silent, ask, interest, attending.nobody)
    )
    for uris in ({"a://bad", "a://1"}, {"a://1", "a://2"}, set[str]()):
        interest.uris = frozenset(uris)
        interest.settled.clear()
        interest.altered.set()
        await until(interest.settled.is_set)
    task.cancel()

    subscribe, unsubscribe = "resources/subscribe", "resources/unsubscribe"
    assert asked == [
        (subscribe, b'{"uri":"a://1"}'),
        (subscribe, b'{"uri":"a://bad"}'),
        (subscribe, b'{"uri":"a://2"}'),
        (unsubscribe, b'{"uri":"a://bad"}'),
        (unsubscribe, b'{"uri":"a://1"}'),
        (unsubscribe, b'{"uri":"a://2"}'),
    ]


async def test_the_end_of_its_stream_ends_the_attendance(interest: Interest) -> None:
    told = list[Change]()

    async def read(heard: attending.Heard) -> None:
        heard(said("notifications/prompts/list_changed"))
        heard(said("notifications/message"))
        raise UpstreamFailed("up ended its stream")

    async def ask(method: str, params: bytes) -> bytes:
        raise AssertionError((method, params))

    with pytest.raises(UpstreamFailed, match="ended its stream"):
        await attending.stream("up", read, ask, interest, told.append)
    assert told == [Change("prompts", "up")]


def test_what_nobody_attends_to_is_looked_at_and_then_it_is_announced() -> None:
    looked, told = list[str](), list[Change]()
    ears = attending.Ears("up", looked.append)
    ears(said("notifications/tools/list_changed"))
    ears(said("notifications/resources/updated", b'{"uri":"a://b"}'))
    ears.to(told.append)
    ears(said("notifications/tools/list_changed"))
    ears(said("notifications/subscriptions/acknowledged"))

    assert (looked, told) == (["up"], [Change("tools", "up")])


async def test_what_comes_another_way_comes_until_that_ends() -> None:
    ended = asyncio.Event()
    ended.set()

    with pytest.raises(UpstreamFailed, match="up is gone"):
        await attending.until("up", ended, lambda _: None)
