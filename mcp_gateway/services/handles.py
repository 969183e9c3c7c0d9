"""Handles: what a caller is given to come back with, sealed, and bound to who may use it."""

import hashlib
import secrets
import time
from collections.abc import Callable
from typing import Final, NoReturn

import msgspec

from mcp_gateway.core.asking import TASKS, Asked, Resumed
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.errors import InvalidState, QuestionExpired
from mcp_gateway.wire import jsonrpc
from mcp_gateway.wire.sealed import Seal

FREE_ROUNDS: Final = 16
"""Answers that one charged call may take without being charged again."""
MOST_SPENT: Final = 65_536
STATE: Final = "state/1"
TASK: Final = "task/1"
TASK_MARK: Final = "t1."
_FRESH: Final = frozenset({"_meta", "inputResponses", "requestState"})
"""Parameters that are not the same when a request comes again with its answers."""
_NONCE: Final = 16
"""Characters at the beginning of a sealed text that no other has."""


class _State(msgspec.Struct):
    worker: str
    server: str
    parent: str
    park: str
    method: str
    digest: str
    who: list[str]
    until: float
    state: str
    round: int
    own: bool = False


class _Task(msgspec.Struct):
    server: str
    tool: str
    who: list[str]
    task: str


_STATES: Final = msgspec.json.Decoder(_State)
_TASKS: Final = msgspec.json.Decoder(_Task)


class Handles:
    """Implements `ports.Handles`. `wait` says how many seconds an answer may take."""

    def __init__(
        self, secret: bytes, wait: Callable[[], float], clock: Callable[[], float] = time.time
    ) -> None:
        self._seal = Seal(secret)
        self._wait = wait
        self._clock = clock
        self._worker = secrets.token_hex(8)
        self._spent = Spent()

    def open(self, call: Call) -> Resumed:
        if call.method in TASKS:
            return self._task(call)
        text = call.params.view().get("requestState")
        try:
            found = _STATES.decode(self._seal.open(STATE, _text(text)))
        except ValueError:
            _unknown()
        if (found.who, found.method, found.digest) != (_who(call), call.method, _digest(call)):
            _unknown()
        now, here = self._clock(), found.worker == self._worker
        if found.until <= now or (found.park and not here):
            raise QuestionExpired
        first = self._spent.first(_text(text)[:_NONCE], found.until, now)
        free = here and first and found.round < FREE_ROUNDS
        return Resumed(
            parent=found.parent,
            park=found.park,
            state=found.state,
            server=found.server,
            round=found.round + 1,
            free=free,
            own=found.own,
        )

    def seal(self, call: Call, result: Result) -> Result:
        """A task keeps the text that its caller knows it by."""
        asked = result.asked
        if asked is None:
            return result
        if call.method in TASKS:
            if "taskId" not in jsonrpc.members(result.raw):
                return result
            return _with(result, {"taskId": jsonrpc.encode(call.params.view().get("taskId"))})
        if asked.questions or asked.state or asked.parked:
            sealed = self._sealed_state(call, asked)
            return _with(result, {"requestState": jsonrpc.encode(sealed)})
        return self._began(call, result)

    def _sealed_state(self, call: Call, asked: Asked) -> str:
        made = _State(
            worker=self._worker,
            server=call.target.server,
            parent=call.id,
            park=call.id if asked.parked is not None else "",
            method=call.method,
            digest=_digest(call),
            who=_who(call),
            until=self._clock() + self._wait(),
            state=asked.state,
            round=call.resumed.round,
            own=asked.own,
        )
        return self._seal.close(STATE, msgspec.json.encode(made))

    def _began(self, call: Call, result: Result) -> Result:
        """A task's own id is its upstream's; whoever knows it could ask for it there."""
        task = jsonrpc.decode(bytes(jsonrpc.members(result.raw).get("taskId", b"null")))
        if not isinstance(task, str):
            return result
        made = _Task(call.target.server, call.target.name, _who(call), task)
        sealed = TASK_MARK + self._seal.close(TASK, msgspec.json.encode(made))
        return _with(result, {"taskId": jsonrpc.encode(sealed)})

    def _task(self, call: Call) -> Resumed:
        text = _text(call.params.view().get("taskId"))
        try:
            if not text.startswith(TASK_MARK):
                _unknown()
            found = _TASKS.decode(self._seal.open(TASK, text[len(TASK_MARK) :]))
        except ValueError:
            _unknown()
        if found.who != _who(call):
            _unknown()
        return Resumed(task=found.task, server=found.server, tool=found.tool)


class Spent:
    """The states that have come back: one that comes again is charged like any other call.

    What had to be forgotten for room counts as spent.
    """

    def __init__(self, most: int = MOST_SPENT) -> None:
        self._most = most
        self._until: dict[str, float] = {}
        self._forgotten = 0.0

    def first(self, nonce: str, until: float, now: float) -> bool:
        """Whether it comes for the first time. `until` is when it expires."""
        if nonce in self._until or until <= self._forgotten:
            return False
        self._make_room(now)
        self._until[nonce] = until
        return True

    def _make_room(self, now: float) -> None:
        while self._until:
            oldest = next(iter(self._until))
            expired = self._until[oldest] <= now
            if not expired and len(self._until) < self._most:
                return
            gone = self._until.pop(oldest)
            if not expired:
                self._forgotten = max(self._forgotten, gone)


def _unknown() -> NoReturn:
    raise InvalidState from None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _who(call: Call) -> list[str]:
    """Who may bring it back: not what they may do, which a new token may change."""
    one = call.principal
    return [one.issuer, one.subject, one.tenant, one.client, one.actor]


def _digest(call: Call) -> str:
    """Of what has to be the same when the request comes again."""
    same = {name: value for name, value in call.params.view().items() if name not in _FRESH}
    return hashlib.sha256(jsonrpc.canonical(same)).hexdigest()


def _with(result: Result, changes: dict[str, bytes | None]) -> Result:
    return jsonrpc.body(jsonrpc.replaced(result.raw, changes), asked=result.asked)
