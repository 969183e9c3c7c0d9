"""Tasks (SEP-2663): calls that go on after they were answered, and the methods that follow them."""

import json
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import anyio
import mcp_types as types
from mcp.shared.exceptions import MCPError

from tests.conformance.upstream.media import JSON, said
from tests.conformance.upstream.rounds import (
    INVALID_PARAMS,
    Context,
    Round,
    ask,
    capabilities_of,
    elicit,
    missing,
    modern,
)
from tests.conformance.upstream.tool import Called, Tool, takes

EXTENSION = "io.modelcontextprotocol/tasks"
INTERNAL_ERROR = -32603
METHOD_NOT_FOUND = -32601
HEADER_MISMATCH = -32020


class JobFailed(Exception):
    """What a job ends with that fails with an error of the protocol."""


@dataclass
class Task:
    """One that was begun. `open` holds what it asks, `answers` what it was answered."""

    id: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    created: float = field(default_factory=time.time)
    updated: float = field(default_factory=time.time)
    status: str = "working"
    ended: JSON = field(default_factory=dict)
    open: dict[str, JSON] = field(default_factory=dict)
    answers: JSON = field(default_factory=dict)
    changed: anyio.Event = field(default_factory=anyio.Event)
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)

    def move(self, status: str, **ended: Any) -> None:
        self.status, self.updated, self.ended = status, time.time(), ended
        self.changed.set()
        self.changed = anyio.Event()

    async def ask(self, **questions: JSON) -> JSON:
        """Waits until all of them are answered."""
        self.open.update(questions)
        self.move("input_required")
        while questions.keys() & self.open.keys():
            await self.changed.wait()
        self.move("working")
        return {key: self.answers[key] for key in questions}

    def wire(self) -> JSON:
        """As `tasks/get` shows it."""
        asked = {"inputRequests": dict(self.open)} if self.status == "input_required" else {}
        return {
            "taskId": self.id,
            "status": self.status,
            "createdAt": _stamp(self.created),
            "lastUpdatedAt": _stamp(self.updated),
            "ttlMs": 300_000,
            "pollIntervalMs": 200,
            **asked,
            **self.ended,
        }


def _stamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


Job = Callable[[Task | None, JSON, Round], Awaitable[JSON]]


async def _slow(task: Task | None, arguments: JSON, now: Round) -> JSON:
    await anyio.sleep(min(float(arguments.get("seconds", 0)), 60.0))
    return said(f"Computed {arguments.get('label', '')}")


async def _failing(task: Task | None, arguments: JSON, now: Round) -> JSON:
    await anyio.sleep(1.0)
    return said("The job failed.", isError=True)


async def _broken(task: Task | None, arguments: JSON, now: Round) -> JSON:
    await anyio.sleep(0.2)
    raise JobFailed("The job hit an internal fault")


async def _delete(task: Task | None, arguments: JSON, now: Round) -> JSON:
    if task is None:
        return said("Deleted without a question.")
    question = elicit(f"Delete {arguments.get('filename')}?", "confirm", "boolean")
    answers = await task.ask(confirm=question)
    return said(f"Answer: {json.dumps(answers['confirm'])}")


async def _two_questions(task: Task | None, arguments: JSON, now: Round) -> JSON:
    if task is None:
        return said("Nothing was asked.")
    answers = await task.ask(first=elicit("First?", "value"), second=elicit("Second?", "value"))
    return said(f"Answers: {json.dumps(answers)}")


async def _after_a_round(task: Task | None, arguments: JSON, now: Round) -> JSON:
    await anyio.sleep(0.1)
    return said(f"Hello, {now.filled('user_name', 'name')}!")


JOBS: Mapping[str, Job] = MappingProxyType(
    {
        "slow_compute": _slow,
        "failing_job": _failing,
        "protocol_error_job": _broken,
        "confirm_delete": _delete,
        "multi_input": _two_questions,
        "test_tool_with_task": _after_a_round,
    }
)


def _of(name: str) -> Callable[[Called], Awaitable[JSON]]:
    """The tool of a job: it begins a task for a client that knows them."""

    async def run(called: Called) -> JSON:
        context, now = called.context, called.round
        if not modern(context) or not _declared(now.capabilities):
            if TOOLS[name].task == "required":
                require(now.capabilities)
            return await JOBS[name](None, called.arguments, now)
        if name == "test_tool_with_task" and now.filled("user_name", "name") is None:
            return ask({"user_name": elicit("What is your name?", "name")})
        task, state = Task(), context.lifespan_context
        state.tasks[task.id] = task
        state.group.start_soon(_work, task, JOBS[name], called.arguments, now)
        return {"resultType": "task", **task.wire()}

    return run


async def _work(task: Task, job: Job, arguments: JSON, now: Round) -> None:
    with task.scope:
        try:
            task.move("completed", result=await job(task, arguments, now))
        except JobFailed as failed:
            task.move("failed", error={"code": INTERNAL_ERROR, "message": str(failed)})
    if task.scope.cancelled_caught:
        task.move("cancelled")


_SLOW = takes(seconds={"type": "number"}, label={"type": "string"})
_DELETE = takes(filename={"type": "string"})
TOOLS: Mapping[str, Tool] = MappingProxyType(
    {
        "slow_compute": Tool("Takes its time", _of("slow_compute"), _SLOW, "optional"),
        "failing_job": Tool("Fails as a tool", _of("failing_job"), task="required"),
        "protocol_error_job": Tool(
            "Fails as a request", _of("protocol_error_job"), task="optional"
        ),
        "confirm_delete": Tool("Asks once", _of("confirm_delete"), _DELETE, "optional"),
        "multi_input": Tool("Asks two things at once", _of("multi_input"), task="optional"),
        "test_tool_with_task": Tool(
            "Asks, then becomes a task", _of("test_tool_with_task"), task="required"
        ),
    }
)


def _declared(capabilities: Mapping[str, Any]) -> bool:
    extensions = capabilities.get("extensions")
    return isinstance(extensions, Mapping) and EXTENSION in extensions


def require(capabilities: Mapping[str, Any]) -> None:
    """Raises MCPError for a client that does not know tasks."""
    if not _declared(capabilities):
        raise missing({"extensions": {EXTENSION: {}}})


class TaskParams(types.RequestParams):
    task_id: str


class UpdateParams(TaskParams):
    input_responses: dict[str, Any]


def _found(context: Context, params: TaskParams) -> Task:
    if not modern(context):
        raise MCPError(METHOD_NOT_FOUND, "Method not found", context.method)
    headers = {} if context.request is None else context.request.headers
    if headers.get("mcp-name", params.task_id) != params.task_id:
        raise MCPError(HEADER_MISMATCH, "Mcp-Name does not match the 'taskId' of the body")
    require(capabilities_of(context))
    task = context.lifespan_context.tasks.get(params.task_id)
    if not isinstance(task, Task):
        raise MCPError(INVALID_PARAMS, "Task not found")
    return task


async def get(context: Context, params: TaskParams) -> JSON:
    return _found(context, params).wire()


async def cancel(context: Context, params: TaskParams) -> JSON:
    task = _found(context, params)
    if task.status in ("working", "input_required"):
        task.scope.cancel()
    return {}


async def update(context: Context, params: UpdateParams) -> JSON:
    task = _found(context, params)
    for key, answer in params.input_responses.items():
        if task.open.pop(key, None) is not None:
            task.answers[key] = answer
    if task.status == "input_required" and not task.open:
        task.move("working")
    return {}
