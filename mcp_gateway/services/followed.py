"""Followed: the tasks of one listen, and each state of theirs as who listens may see it."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from connectors import asked
from mcp_gateway.core import ports
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.change import Change
from mcp_gateway.core.errors import InvalidRequest, MissingCapability, Refusal
from mcp_gateway.core.snapshot import Snapshot
from mcp_gateway.core.target import Target
from mcp_gateway.wire import capabilities, jsonrpc

SAID: Final = "notifications/tasks"
METHOD: Final = "tasks/get"
"""What a state of a task would have answered, and is decided as."""
MOST: Final = 256
"""Tasks of one listen."""

Resolve = Callable[[Call], Target]
Owned = tuple[str, str]
"""A server, and its own id of a task."""


def wanted(call: Call, notifications: Mapping[str, Any]) -> tuple[str, ...]:
    """The tasks of a filter. Raises InvalidRequest, MissingCapability."""
    tasks = notifications.get("taskIds") or []
    if not isinstance(tasks, list) or not all(isinstance(task, str) and task for task in tasks):
        raise InvalidRequest("'taskIds' is a list of the ids of tasks")
    if len(tasks) > MOST:
        raise InvalidRequest(f"one listen is for at most {MOST} tasks")
    if tasks and (lacking := capabilities.unable_to_wait(capabilities.declared(call))):
        raise MissingCapability("your client declares nothing of tasks", lacking)
    return tuple(dict.fromkeys(tasks))


class Followed:
    """The tasks of one listen: as who listens knows them, by what their servers call them."""

    def __init__(self, call: Call, handles: ports.Handles, resolve: Resolve) -> None:
        self._call = call
        self._handles = handles
        self._resolve = resolve
        self._ids: dict[Owned, list[str]] = {}
        self._numbers = itertools.count(1)

    def __iter__(self) -> Iterator[str]:
        """Every id that who listens knows."""
        return itertools.chain.from_iterable(self._ids.values())

    @property
    def servers(self) -> list[str]:
        return sorted({server for server, _ in self._ids})

    def of(self, server: str) -> list[str]:
        """The server's own ids of what is followed there."""
        return [task for owner, task in self._ids if owner == server]

    def known(self, change: Change) -> list[str]:
        """The ids by which who listens knows the task that has changed."""
        return self._ids.get((change.server, change.name), [])

    def add(self, tasks: Iterable[str], world: Snapshot) -> None:
        """Takes those that are the caller's, and that they may ask for now."""
        for task in tasks:
            if owned := self._owned(task, world):
                self._ids.setdefault(owned, []).append(task)

    def keep(self, server: str, told: Callable[[str], bool]) -> None:
        """Drops what its server does not tell of."""
        for task in self.of(server):
            if not told(task):
                del self._ids[server, task]

    async def seen(self, task: str, raw: bytes, world: Snapshot) -> Result:
        """A state that an upstream said, as an answer to this caller's `tasks/get` in this world.

        It is decided, looked at and recorded as a call beneath the listen. Raises Refusal for
        what that answer would have been refused for.
        """
        heard = self._asking(task, world)
        heard.facts["heard"] = True

        async def said(call: Call) -> Result:
            return jsonrpc.body(raw, asked=asked.of(call.target.server, METHOD, raw))

        return await world.hear(heard, said)

    def _owned(self, task: str, world: Snapshot) -> Owned | None:
        asking = self._asking(task, world)
        try:
            asking.resumed = self._handles.open(asking)
            asking.target = self._resolve(asking)
        except Refusal:
            return None
        granted = asking.target.requires <= asking.principal.scopes
        if not granted or not world.policy.decide(asking).allowed:
            return None
        return asking.resumed.server, asking.resumed.task

    def _asking(self, task: str, world: Snapshot) -> Call:
        """The call by which who listens would ask for it."""
        call = self._call
        said = {"taskId": task, "_meta": call.params.view().get("_meta", {})}
        return Call(
            id=f"{call.id}.{next(self._numbers)}",
            method=METHOD,
            params=jsonrpc.body(jsonrpc.encode(said)),
            principal=call.principal,
            snapshot=world,
            endpoint=call.endpoint,
            parent=call.id,
            trace=call.trace,
            client=call.client,
        )
