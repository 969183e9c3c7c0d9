"""What an upstream says by itself: read from a listen, a GET stream, or a child's words."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, Final

from connectors import answers, discovery
from mcp_gateway.core.change import Change, Interest, List
from mcp_gateway.core.errors import UpstreamFailed, UpstreamTimedOut
from mcp_gateway.wire import jsonrpc, modern
from mcp_gateway.wire.connection import Response

LISTEN: Final = "subscriptions/listen"
KNOWN: Final = (modern.TASKS,)
"""The extensions that a listen is about."""
QUIET: Final = 300.0
"""Seconds without a word after which the upstream is listened to anew: it may be gone."""
UNACKNOWLEDGED: Final = 5.0
"""Seconds after which an upstream that acknowledges nothing is taken to listen."""
GONE: Final = 404
"""The status with which a session is answered that the server has forgotten."""
ACKNOWLEDGED: Final = "notifications/subscriptions/acknowledged"
TASKS: Final = "notifications/tasks"
_UPDATED: Final = "notifications/resources/updated"
_LISTS: Final[dict[str, List]] = {
    "notifications/tools/list_changed": "tools",
    "notifications/prompts/list_changed": "prompts",
    "notifications/resources/list_changed": "resources",
}

Announce = Callable[[Change], None]
Heard = Callable[[jsonrpc.Message], None]
Open = Callable[[bytes, Heard], Awaitable[jsonrpc.Message]]
"""Sends a listen with these parameters, says what is heard on it, and returns its answer."""
Stream = Callable[[Heard], Coroutine[Any, Any, None]]
"""Reads what a server of the initialize era says by itself, until that ends."""
Ask = Callable[[str, bytes], Awaitable[bytes]]


def change_of(server: str, message: jsonrpc.Message) -> Change | None:
    """What a notification announces; None for one that announces nothing."""
    if of := _LISTS.get(message.method):
        return Change(of, server)
    if message.method == _UPDATED:
        uri = message.params.view().get("uri")
        return Change("resource", server, uri) if isinstance(uri, str) else None
    if message.method == TASKS:
        task, raw = message.params.view().get("taskId"), message.params.raw
        return Change("task", server, task, raw) if isinstance(task, str) else None
    return None


def nobody(change: Change) -> None:
    """Nobody wants to know."""


class Ears:
    """What an upstream says by itself goes to who attends to it; to discovery while nobody does."""

    def __init__(self, server: str, changed: Callable[[str], None]) -> None:
        self._server = server
        self._changed = changed
        self.heard: Heard | None = None

    def __call__(self, message: jsonrpc.Message) -> None:
        if self.heard:
            self.heard(message)
        elif message.method in _LISTS:
            self._changed(self._server)

    def to(self, announce: Announce) -> None:
        """From now on changes are announced."""

        def heard(message: jsonrpc.Message) -> None:
            if change := change_of(self._server, message):
                announce(change)

        self.heard = heard


async def listen(server: str, open_: Open, interest: Interest, announce: Announce) -> None:
    """Listens at a server of 2026-07-28, anew whenever the interest has altered.

    The old listen ends once the new one is acknowledged. Raises as `send`, NotImplementedError
    where nobody can listen.
    """
    with _one_failure():
        async with asyncio.TaskGroup() as group:
            before: asyncio.Task[None] | None = None
            while True:
                interest.altered.clear()
                tasks = interest.tasks
                while True:
                    opened = _Listen(server, open_, announce, tasks)
                    task = group.create_task(opened.run(_params(interest.uris, tasks)))
                    await opened.acknowledged()
                    if not opened.refused:
                        break
                    # A task that it tells nobody of is no reason to hear nothing else of it.
                    known = tasks & interest.honoured
                    tasks = known if known != tasks else frozenset()
                interest.honoured = opened.honoured
                if before:
                    before.cancel()
                before = task
                await _altered(interest)


async def stream(
    server: str, read: Stream, ask: Ask, interest: Interest, announce: Announce
) -> None:
    """Hears a server of the initialize era: its stream, and the resources it is asked to tell of.

    Raises as `send`.
    """

    def heard(message: jsonrpc.Message) -> None:
        if change := change_of(server, message):
            announce(change)

    with _one_failure():
        async with asyncio.TaskGroup() as group:
            group.create_task(read(heard))
            subscribed = frozenset[str]()
            while True:
                interest.altered.clear()
                wanted = interest.uris
                for uri in sorted(wanted - subscribed):
                    await _asked(ask, "resources/subscribe", uri)
                for uri in sorted(subscribed - wanted):
                    await _asked(ask, "resources/unsubscribe", uri)
                subscribed = wanted
                await _altered(interest)


async def read(server: str, response: Response, id_: bytes, heard: Heard) -> jsonrpc.Message:
    """Says what is heard on an answer that is a stream, and returns the message that ends it.

    Raises UpstreamFailed, UpstreamTimedOut, ResultTooLarge.
    """

    async def aside(message: jsonrpc.Message, raw: bytes) -> None:  # noqa: ARG001  # its kind's
        heard(message)

    return await answers.answer(server, response, id_, idle=QUIET, aside=aside)


async def got(server: str, response: Response, heard: Heard) -> None:
    """Reads the GET stream of a session to its end. Raises NotImplementedError for none."""
    if not response.streaming:
        if response.status == GONE:
            raise UpstreamFailed(f"{server} knows the session no more")
        raise NotImplementedError
    with contextlib.suppress(UpstreamTimedOut):
        await read(server, response, b"", heard)
    raise UpstreamFailed(f"{server} ended its stream")


async def until(server: str, ended: asyncio.Event, heard: Heard) -> None:  # noqa: ARG001
    """Hears nothing itself: what is said comes by another way, for as long as there is one."""
    await ended.wait()
    raise UpstreamFailed(f"{server} is gone")


class _Listen:
    """One listen at an upstream. `refused` says that it was not begun, because of its tasks."""

    def __init__(self, server: str, open_: Open, announce: Announce, tasks: frozenset[str]) -> None:
        self._server = server
        self._open = open_
        self._announce = announce
        self._tasks = tasks
        self._acknowledged = asyncio.Event()
        self.honoured = frozenset[str]()
        self.refused = False

    async def run(self, params: bytes) -> None:
        """Until it ends, which is a failure, or is refused."""
        try:
            answer = await self._open(params, self._heard)
        except UpstreamTimedOut:
            raise UpstreamFailed(f"{self._server} has said nothing for long") from None
        if answer.error and _code(answer.error) == jsonrpc.METHOD_NOT_FOUND:
            raise NotImplementedError
        if not answer.error or not self._tasks or self._acknowledged.is_set():
            raise UpstreamFailed(f"{self._server} ended its listen")
        self.refused = True
        self._acknowledged.set()

    async def acknowledged(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(UNACKNOWLEDGED):
                await self._acknowledged.wait()

    def _heard(self, message: jsonrpc.Message) -> None:
        if message.method == ACKNOWLEDGED:
            self.honoured = self._tasks.intersection(_named(message))
            self._acknowledged.set()
        elif change := change_of(self._server, message):
            self._announce(change)


async def _altered(interest: Interest) -> None:
    """Says that all is listened for, unless more is wanted by now, and waits until it is."""
    if not interest.altered.is_set():
        interest.settled.set()
    await interest.altered.wait()


async def _asked(ask: Ask, method: str, uri: str) -> None:
    """A server that will not tell of one resource tells of the others."""
    with contextlib.suppress(UpstreamFailed, discovery.NotOffered):
        await ask(method, jsonrpc.encode({"uri": uri}))


def _named(acknowledged: jsonrpc.Message) -> Iterator[str]:
    """The tasks that an acknowledgement names: a claim, which may be anything."""
    honoured = acknowledged.params.view().get("notifications")
    tasks = honoured.get("taskIds") if isinstance(honoured, dict) else None
    yield from (task for task in tasks if isinstance(task, str)) if isinstance(tasks, list) else ()


def _params(uris: frozenset[str], tasks: frozenset[str]) -> bytes:
    wanted: dict[str, object] = {
        "toolsListChanged": True,
        "promptsListChanged": True,
        "resourcesListChanged": True,
    }
    if uris:
        wanted["resourceSubscriptions"] = sorted(uris)
    if tasks:
        wanted["taskIds"] = sorted(tasks)
    return jsonrpc.encode({"notifications": wanted})


def _code(error: bytes) -> object:
    view = jsonrpc.decode(error)
    return view.get("code") if isinstance(view, dict) else None


@contextlib.contextmanager
def _one_failure() -> Iterator[None]:
    """The first failure of a group in place of the group."""
    try:
        yield
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
