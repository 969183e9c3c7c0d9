"""Listens: one `subscriptions/listen`, from changes to notifications."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from mcp_gateway.core import ports
from mcp_gateway.core.body import Body, Result
from mcp_gateway.core.call import Call, silent
from mcp_gateway.core.change import Change, List
from mcp_gateway.core.errors import InvalidRequest, Refusal, Throttled
from mcp_gateway.core.snapshot import Current, Snapshot
from mcp_gateway.core.target import Target
from mcp_gateway.services import followed
from mcp_gateway.services.attendance import Attendance
from mcp_gateway.services.followed import Followed
from mcp_gateway.services.listing import fingerprint
from mcp_gateway.wire import jsonrpc

METHOD: Final = "subscriptions/listen"
ACKNOWLEDGED: Final = "notifications/subscriptions/acknowledged"
UPDATED: Final = "notifications/resources/updated"
FLAGS: Final[Mapping[str, List]] = {
    "toolsListChanged": "tools",
    "promptsListChanged": "prompts",
    "resourcesListChanged": "resources",
}
MOST_URIS: Final = 256
"""URIs of one listen."""
MOST_WAITING: Final = 8 * 1024 * 1024
"""Bytes of states of tasks that wait for one listener."""
PACE: Final = 0.1
"""Seconds between two states of tasks: of more that are said in between the last is told."""
LATER: Final = 1.0
"""Seconds after which who was refused for its number of listens may ask again."""
SLOW: Final = "slow"
"""Why a listen ends whose listener does not take what is said."""
COMPLETE: Final = jsonrpc.body(b'{"resultType":"complete"}')

Resolve = Callable[[Call], Target]


@dataclass(slots=True, eq=False)
class _Listen:
    """One that is open. What waits for its listener is bounded by what it listens for."""

    call: Call
    lists: frozenset[List]
    tasks: Followed
    uris: Mapping[str, Target] = field(default_factory=dict)
    """Each URI that is honoured, and what it is."""
    seen: dict[List, bytes] = field(default_factory=dict)
    """The fingerprint of each list as the listener may know it."""
    waiting: dict[tuple[str, str], bytes] = field(default_factory=dict)
    """What is still to be said: method and URI, or method, task and its last state."""
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    ended: str = ""

    def put(self, method: str, name: str = "", raw: bytes = b"") -> None:
        """Said once, however often it happens before the listener takes it."""
        self.waiting[method, name] = raw
        self.woken.set()
        if raw and sum(map(len, self.waiting.values())) > MOST_WAITING:
            self.end(SLOW)

    def end(self, why: str) -> None:
        self.ended = self.ended or why
        self.woken.set()

    def of(self, change: Change) -> Iterator[Target]:
        """The resource that changed, for each URI that it is, or is a part of."""
        for uri, target in self.uris.items():
            if target.server == change.server and _within(change.name, uri):
                yield replace(target, name=change.name)


class Listens:
    """Owns no task of any listen: each lives in its own call, and ends when it is told to."""

    def __init__(
        self,
        current: Current,
        attendance: Attendance,
        resolve: Resolve,
        handles: ports.Handles,
        *,
        most: int = 10_000,
        each: int = 32,
    ) -> None:
        """`resolve` finds the target of a request; `most` listens in all, `each` of one identity.

        Both numbers may be changed at any time.
        """
        self._current = current
        self.attendance = attendance
        self._resolve = resolve
        self._handles = handles
        self.most, self.each = most, each
        self._open: dict[str, _Listen] = {}
        self._of: Counter[str] = Counter()
        self._swapped = asyncio.Event()
        current.watch(self._swapped.set)

    def __len__(self) -> int:
        return len(self._open)

    def end(self, call_id: str, why: str) -> bool:
        """Ends a listen with its final result; False when none of this id is open."""
        listen = self._open.get(call_id)
        if listen is not None:
            listen.end(why)
        return listen is not None

    async def run(self, call: Call) -> Result:
        """Acknowledges first, then notifies until it is ended.

        Raises Throttled, InvalidRequest, MissingCapability.
        """
        asked = _asked(call.outgoing.view())
        lists, uris = _wanted(asked)
        tasks = followed.wanted(call, asked)
        self._admit(call)
        listen = _Listen(call, lists, Followed(call, self._handles, self._resolve))
        with ExitStack() as stack:
            self._enter(listen, stack)
            # Before anything is acknowledged: nothing that happens from here on is missed.
            stack.callback(self.attendance.bulletin.subscribe(partial(self._heard, listen)))
            listen.seen = {of: fingerprint(self._asking(call, of), of) for of in sorted(lists)}
            listen.uris = await self._listened_for(call, uris, stack)
            listen.tasks.add(tasks, self._world(call))
            await self._listens_for_tasks(listen.tasks, stack)
            await call.notify(_acknowledged(listen))
            return await self._told(listen)

    def look_again(self) -> None:
        """Somebody may see another list now, though no snapshot was swapped."""
        self._swapped.set()

    async def follow(self) -> None:
        """Until cancelled: after each swap, tells those whose lists are other ones now."""
        while True:
            await self._swapped.wait()
            self._swapped.clear()
            for listen in list(self._open.values()):
                self._look(listen)
                await asyncio.sleep(0)  # calls go on, however many listen

    # one listen

    def _enter(self, listen: _Listen, stack: ExitStack) -> None:
        call, identity = listen.call, listen.call.principal.identity
        self._open[call.id] = listen
        self._of[identity] += 1

        def left() -> None:
            del self._open[call.id]
            self._of[identity] -= 1
            if not self._of[identity]:
                del self._of[identity]

        stack.callback(left)

    def _admit(self, call: Call) -> None:
        if self._of[call.principal.identity] >= self.each:
            raise Throttled(f"{self.each} listens of yours are open", retry_after=LATER)
        if len(self._open) >= self.most:
            raise Throttled("too many listens are open", retry_after=LATER)

    async def _listened_for(
        self, call: Call, uris: tuple[str, ...], stack: ExitStack
    ) -> Mapping[str, Target]:
        """The URIs that the caller may read and whose server tells, once it listens for them."""
        found = {uri: target for uri in uris if (target := self._readable(call, uri))}
        for server in sorted({target.server for target in found.values()}):
            mine = [uri for uri, target in found.items() if target.server == server]
            if self.attendance.hears(server):
                stack.callback(self.attendance.ask(server, mine))
                await self.attendance.settled(server)
        return {uri: t for uri, t in found.items() if self.attendance.hears(t.server)}

    async def _listens_for_tasks(self, tasks: Followed, stack: ExitStack) -> None:
        """Leaves those of which their servers tell, once they are asked to."""
        for server in tasks.servers:
            with ExitStack() as trying:
                trying.callback(self.attendance.ask(server, tasks=tasks.of(server)))
                if self.attendance.hears(server):
                    await self.attendance.settled(server)
                tasks.keep(server, partial(self.attendance.follows, server))
                stack.callback(self.attendance.ask(server, tasks=tasks.of(server)))

    async def _told(self, listen: _Listen) -> Result:
        """One message at a time: what guards them looks at the one call that all are of."""
        call = listen.call
        call.facts["notified"] = 0
        while not listen.ended:
            await listen.woken.wait()
            listen.woken.clear()
            while listen.waiting and not listen.ended:
                method, name = next(iter(listen.waiting))
                raw = listen.waiting.pop((method, name))
                if method == followed.SAID:
                    await self._tell_task(listen, name, raw)
                    continue
                await call.notify(_message(method, {"uri": name} if name else {}))
                call.facts["notified"] += 1
        call.facts["ended"] = listen.ended
        return COMPLETE

    async def _tell_task(self, listen: _Listen, task: str, raw: bytes) -> None:
        """What is refused stands on the record, and is told to who asks for the task."""
        call = listen.call
        if task not in list(listen.tasks):  # it was told before it was known who tells of it
            return
        with suppress(Refusal):
            state = await listen.tasks.seen(task, raw, self._world(call))
            await call.notify(jsonrpc.body(jsonrpc.notification(followed.SAID, state.raw)))
            call.facts["notified"] += 1
        await asyncio.sleep(PACE)

    # what happens

    def _heard(self, listen: _Listen, change: Change) -> None:
        """An upstream announced something: its listeners are told who may know of it."""
        if change.of == "resource":
            if any(self._may_read(listen.call, target) for target in listen.of(change)):
                listen.put(UPDATED, change.name)
        elif change.of == "task":
            for task in listen.tasks.known(change):
                listen.put(followed.SAID, task, change.raw)
        elif change.of in listen.lists and listen.call.endpoint in ("", change.server):
            asking = self._asking(listen.call, change.of)
            catalog = Target("catalog", change.server, asking.method)
            if asking.snapshot.policy.prospect(asking, catalog) != "deny":
                listen.put(_changed(change.of))

    def _look(self, listen: _Listen) -> None:
        """The world has changed: whoever sees another list is told."""
        for of, seen in listen.seen.items():
            now = fingerprint(self._asking(listen.call, of), of)
            if now != seen:
                listen.seen[of] = now
                listen.put(_changed(of))

    def _readable(self, call: Call, uri: str) -> Target | None:
        """The resource, if who listens may read it now."""
        asking = self._now(call, "resources/read", Body(b"{}", view={"uri": uri}))
        try:
            target = self._resolve(asking)
        except Refusal:
            return None
        return target if self._may_read(call, target) else None

    def _may_read(self, call: Call, target: Target) -> bool:
        """Whether who listens may read it now."""
        asking = self._now(call, "resources/read", call.params)
        allowed = asking.snapshot.policy.prospect(asking, target) != "deny"
        return allowed and target.requires <= call.principal.scopes

    def _asking(self, call: Call, of: List) -> Call:
        return self._now(call, f"{of}/list", call.params)

    def _now(self, call: Call, method: str, params: Body) -> Call:
        """What the listener would ask for now, in the world that is in force."""
        world = self._world(call)
        return replace(call, method=method, params=params, snapshot=world, notify=silent, facts={})

    def _world(self, call: Call) -> Snapshot:
        return self._current.of(call.principal.tenant) or call.snapshot


def _asked(view: Mapping[str, Any]) -> Mapping[str, Any]:
    asked = view.get("notifications")
    if not isinstance(asked, dict):
        raise InvalidRequest("'notifications' is an object: what is listened for")
    return asked


def _wanted(asked: Mapping[str, Any]) -> tuple[frozenset[List], tuple[str, ...]]:
    """The lists and URIs of a filter. What is not known here is not acknowledged."""
    uris = asked.get("resourceSubscriptions") or []
    if not isinstance(uris, list) or not all(isinstance(uri, str) and uri for uri in uris):
        raise InvalidRequest("'resourceSubscriptions' is a list of URIs")
    if len(uris) > MOST_URIS:
        raise InvalidRequest(f"one listen is for at most {MOST_URIS} URIs")
    lists = frozenset(of for flag, of in FLAGS.items() if asked.get(flag) is True)
    return lists, tuple(dict.fromkeys(uris))


def _acknowledged(listen: _Listen) -> Body:
    honoured: dict[str, Any] = {flag: True for flag, of in FLAGS.items() if of in listen.lists}
    if listen.uris:
        honoured["resourceSubscriptions"] = list(listen.uris)
    if tasks := list(listen.tasks):
        honoured["taskIds"] = tasks
    return _message(ACKNOWLEDGED, {"notifications": honoured})


def _message(method: str, params: Mapping[str, Any]) -> Body:
    return jsonrpc.body(jsonrpc.notification(method, jsonrpc.encode(params)))


def _changed(of: str) -> str:
    return f"notifications/{of}/list_changed"


def _within(uri: str, whole: str) -> bool:
    """Whether a URI is this one, or of a part of it (2026-07-28, resources/updated)."""
    if not uri.startswith(whole):
        return False
    return len(uri) == len(whole) or whole.endswith("/") or uri[len(whole)] in "/?#"
