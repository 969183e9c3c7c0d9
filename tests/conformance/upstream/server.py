"""The server: every fixture, in both eras or as a server of one of them."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import anyio
import anyio.abc
import mcp_types as types
from mcp.server.caching import CacheHint
from mcp.server.lowlevel.server import Server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler
from mcp.shared.exceptions import MCPError
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.conformance.upstream import asking, documents, plain, skills, tasks
from tests.conformance.upstream.events import Events
from tests.conformance.upstream.media import JSON
from tests.conformance.upstream.rounds import (
    INVALID_PARAMS,
    Context,
    Round,
    modern,
    to_the_end,
)
from tests.conformance.upstream.tasks import Task
from tests.conformance.upstream.tool import Called, Tool

Variant = Literal["dual", "legacy", "modern"]
RETRY = 100
"""Milliseconds after which a closed stream is to be asked for again."""
UNSUPPORTED = -32022
TOOLS: Mapping[str, Tool] = {**plain.TOOLS, **asking.TOOLS, **tasks.TOOLS}
CACHED = CacheHint(ttl_ms=60_000, scope="public")


@dataclass
class State:
    """What outlives a request."""

    group: anyio.abc.TaskGroup
    bus: InMemorySubscriptionBus
    tasks: dict[str, Task] = field(default_factory=dict)


async def _list_tools(context: Context, params: types.PaginatedRequestParams) -> JSON:
    listed = [
        {"name": name, "description": tool.description, "inputSchema": tool.schema}
        for name, tool in TOOLS.items()
    ]
    return {"tools": listed}


async def _call_tool(context: Context, params: types.CallToolRequestParams) -> JSON:
    tool = TOOLS.get(params.name)
    if tool is None:
        raise MCPError(INVALID_PARAMS, f"Unknown tool: {params.name}")
    arguments = dict(params.arguments or {})

    async def run(now: Round) -> JSON:
        return await tool.run(Called(context, arguments, now))

    return await to_the_end(context, run)


async def _complete(context: Context, params: types.CompleteRequestParams) -> JSON:
    begun = params.argument.value
    values = [word for word in ("paris", "park", "party") if word.startswith(begun)]
    return {"completion": {"values": values, "total": len(values), "hasMore": False}}


async def _done(context: Context, params: Any) -> JSON:
    return {}


METHODS: Mapping[str, tuple[Any, Callable[[Context, Any], Awaitable[JSON]]]] = {
    "tools/list": (types.PaginatedRequestParams, _list_tools),
    "tools/call": (types.CallToolRequestParams, _call_tool),
    "prompts/list": (types.PaginatedRequestParams, documents.list_prompts),
    "prompts/get": (types.GetPromptRequestParams, documents.get_prompt),
    "resources/list": (types.PaginatedRequestParams, documents.list_resources),
    "resources/templates/list": (types.PaginatedRequestParams, documents.list_templates),
    "resources/read": (types.ReadResourceRequestParams, documents.read_resource),
    "resources/subscribe": (types.SubscribeRequestParams, _done),
    "resources/unsubscribe": (types.UnsubscribeRequestParams, _done),
    "logging/setLevel": (types.SetLevelRequestParams, _done),
    "completion/complete": (types.CompleteRequestParams, _complete),
    "tasks/get": (tasks.TaskParams, tasks.get),
    "tasks/cancel": (tasks.TaskParams, tasks.cancel),
    "tasks/update": (tasks.UpdateParams, tasks.update),
    "skills/list": (types.PaginatedRequestParams, skills.listed),
    "skills/get": (skills.UriParams, skills.get),
    "resources/directory/read": (skills.UriParams, skills.directory),
}


def _complete_of(method: Callable[[Context, Any], Awaitable[JSON]]) -> Any:
    """The handler of a method: `resultType` is required in 2026-07-28, and unknown before it."""

    async def answer(context: Context, params: Any) -> JSON:
        result = await method(context, params)
        return {"resultType": "complete", **result} if modern(context) else result

    return answer


def build() -> Server[State]:
    bus = InMemorySubscriptionBus()

    @asynccontextmanager
    async def living(_: Server[State]) -> AsyncIterator[State]:
        async with anyio.create_task_group() as group:
            yield State(group, bus)
            group.cancel_scope.cancel()

    server: Server[State] = Server(
        "reference-upstream",
        version="1.0.0",
        instructions="Fixtures for the conformance suite.",
        cache_hints={
            "server/discover": CACHED,
            "tools/list": CACHED,
            "prompts/list": CACHED,
            "resources/list": CACHED,
            "resources/templates/list": CACHED,
            "resources/read": CACHED,
        },
        lifespan=living,
        on_subscriptions_listen=ListenHandler(bus),
    )
    server.extensions = {tasks.EXTENSION: {}, skills.EXTENSION: {"directoryRead": True}}
    for method, (params, answer) in METHODS.items():
        server.add_request_handler(method, params, _complete_of(answer))
    return server


def application(variant: Variant) -> ASGIApp:
    app: ASGIApp = build().streamable_http_app(event_store=Events(), retry_interval=RETRY)
    if variant == "dual":
        return app
    return LegacyOnly(app) if variant == "legacy" else ModernOnly(app)


@dataclass(frozen=True, slots=True)
class LegacyOnly:
    """Turns away what a server of the initialize era does not know."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        known = _version(scope) not in MODERN_PROTOCOL_VERSIONS
        refused = Response("Bad Request: Unsupported protocol version", 400)
        await (self.app if known else refused)(scope, receive, send)


@dataclass(frozen=True, slots=True)
class ModernOnly:
    """Turns away what a server of 2026-07-28 alone does not know."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        version = _version(scope)
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["method"] != "POST":
            await Response(status_code=405, headers={"Allow": "POST"})(scope, receive, send)
        elif version and version not in HANDSHAKE_PROTOCOL_VERSIONS:
            await self.app(scope, receive, send)
        else:
            body = json.loads(await Request(scope, receive).body() or b"null")
            await _unsupported(version, body)(scope, receive, send)


def _version(scope: Scope) -> str:
    return Request(scope).headers.get("mcp-protocol-version", "") if scope["type"] == "http" else ""


def _unsupported(version: str, body: Any) -> Response:
    error: JSON = {"code": tasks.HEADER_MISMATCH, "message": "mcp-protocol-version is missing"}
    if version:
        data = {"supported": list(MODERN_PROTOCOL_VERSIONS), "requested": version}
        error = {"code": UNSUPPORTED, "message": "Unsupported protocol version", "data": data}
    number = body.get("id") if isinstance(body, dict) else None
    return JSONResponse({"jsonrpc": "2.0", "id": number, "error": error}, 400)
