"""An MCP server on the official SDK with a tool for each thing that a connector is tested by.

Run with NOTES, as `command()` does, it speaks over its standard streams; `serving()` serves it over
HTTP in this process. What happens to its calls is noted in the file NOTES, a line each.
"""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import anyio
import mcp_types as types
import uvicorn
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.server.sse import SseServerTransport
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError

from tests.support import asking, asking_before

BOUND = 10.0
MODERN = b"2026-07-28"
Era = Literal["", "modern", "legacy"]
Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]
Context = ServerRequestContext[Any, Any]


def _tool(name: str, **properties: dict[str, Any]) -> types.Tool:
    schema = {"type": "object", "properties": properties}
    return types.Tool(name=name, description=f"The tool {name}", input_schema=schema)


TOOLS = [
    _tool("echo", text={"type": "string"}),
    _tool("count", steps={"type": "integer"}),
    _tool("slow", word={"type": "string"}),
    _tool("big", size={"type": "integer"}),
    _tool("fail"),
    _tool("quit", code={"type": "integer"}),
    _tool(
        "route",
        region={"type": "string", "x-mcp-header": "Region"},
        count={"type": "integer", "x-mcp-header": "Count"},
        text={"type": "string"},
    ),
    _tool("ask", kinds={"type": "array"}, rounds={"type": "integer"}),
    _tool("visit"),
    _tool("log", levels={"type": "array"}),
    _tool("crooked", amount={"type": "number", "x-mcp-header": "Two Words"}),
]


def build(notes: Path) -> Server[Any]:
    """The server."""

    async def list_tools(ctx: Context, params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=TOOLS)

    async def call_tool(
        ctx: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        with notes.open("a") as file:
            file.write(f"called {params.name}\n")
        return await _answered(ctx, params, notes)

    async def list_prompts(ctx: Context, params: Any) -> types.ListPromptsResult:
        return types.ListPromptsResult(prompts=[types.Prompt(name="greet")])

    async def get_prompt(ctx: Context, params: types.GetPromptRequestParams) -> Any:
        content = types.TextContent(type="text", text=f"Hello from {params.name}")
        message = types.PromptMessage(role="user", content=content)
        return types.GetPromptResult(messages=[message])

    server = Server[Any](
        "upstream",
        version="1",
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_prompts=list_prompts,
        on_get_prompt=get_prompt,
    )
    _notes_levels(server, notes)
    return server


def _notes_levels(server: Server[Any], notes: Path) -> None:
    async def set_level(ctx: Context, params: types.SetLevelRequestParams) -> types.EmptyResult:
        with notes.open("a") as file:
            file.write(f"level {params.level}\n")
        return types.EmptyResult()

    server.add_request_handler("logging/setLevel", types.SetLevelRequestParams, set_level)


async def _answered(
    ctx: Context, params: types.CallToolRequestParams, notes: Path
) -> types.CallToolResult | types.InputRequiredResult:
    arguments = params.arguments or {}
    said: types.InputRequiredResult | str
    kinds, rounds = arguments.get("kinds", []), arguments.get("rounds", 1)
    if params.name == "ask" and ctx.protocol_version == MODERN.decode():
        said = asking.answered(params, kinds, rounds)
    elif params.name == "ask":
        said = await asking_before.answered(ctx, kinds, rounds)
    else:
        said = await _run(ctx, params.name, arguments, notes)
    if not isinstance(said, str):
        return said
    return types.CallToolResult(content=[types.TextContent(type="text", text=said)])


async def _run(ctx: Context, name: str, arguments: dict[str, Any], notes: Path) -> str:
    if name == "log":
        return await asking_before.logged(ctx, arguments["levels"])
    if name == "visit":
        return asking_before.visited(notes.read_text().splitlines().count("called visit"))
    return await _acted(ctx, name, arguments, notes)


async def _acted(ctx: Context, name: str, arguments: dict[str, Any], notes: Path) -> str:
    if name == "count":
        for step in range(arguments["steps"]):
            await ctx.session.report_progress(step + 1, arguments["steps"])
    if name == "slow":
        await _slow(arguments["word"], notes)
    if name == "big":
        return "x" * int(arguments["size"])
    if name == "fail":
        raise MCPError(-31999, "it fails, as it was asked to")
    if name == "quit":
        sys.stderr.write("Traceback: it was asked to quit\n")
        sys.stderr.flush()
        sys.exit(arguments["code"])
    return str(arguments.get("text", "done"))


async def _slow(word: str, notes: Path) -> None:
    def note(what: str) -> None:
        with notes.open("a") as file:
            file.write(f"{what} {word}\n")

    note("started")
    try:
        await anyio.sleep(BOUND)
    except anyio.get_cancelled_exc_class():
        note("cancelled")
        raise
    note("ended")


@dataclass
class Upstream:
    """One that serves over HTTP. `heads` are the headers of each request, by lower-case name.

    `connections` says how many are open: with answers in one piece the SDK does not see a caller
    hang up, but the connection is gone. `sessions` says how many of the initialize era it keeps.
    """

    url: str
    notes: Path
    connections: Callable[[], int] = lambda: 0
    sessions: Callable[[], int] = lambda: 0
    heads: list[dict[str, str]] = field(default_factory=list)


@asynccontextmanager
async def serving(
    notes: Path,
    *,
    only: Era = "",
    port: int = 0,
    sse: bool = False,
    server: Server[Any] | None = None,
    **options: Any,
) -> AsyncIterator[Upstream]:
    """Serves over HTTP until it is left. `only`: of one era, where the SDK's speaks both.

    `sse`: over HTTP+SSE, as in 2024-11-05. `server` is served in place of the one that this file
    builds.
    """
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        path = "sse" if sse else "mcp"
        upstream = Upstream(f"http://127.0.0.1:{listening.getsockname()[1]}/{path}", notes)
        served = server or build(notes)
        streamable = _over_sse(served) if sse else served.streamable_http_app(**options)
        if not sse:
            upstream.sessions = lambda: len(served.session_manager._server_instances)
        app = _of_one_era(streamable, only, upstream)
        config = uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1)
        running = uvicorn.Server(config)
        upstream.connections = lambda: len(running.server_state.connections)
        task = asyncio.get_running_loop().create_task(running.serve([listening]))
        try:
            async with asyncio.timeout(BOUND):
                while not running.started:
                    await asyncio.sleep(0.01)
            yield upstream
        finally:
            running.should_exit = True
            await task


def _over_sse(server: Server[Any]) -> App:
    transport = SseServerTransport("/messages/")

    async def application(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] != "/sse":
            await transport.handle_post_message(scope, receive, send)
            return
        async with transport.connect_sse(scope, receive, send) as (reading, writing):
            await server.run(reading, writing, server.create_initialization_options())

    return application


def _of_one_era(app: App, only: Era, upstream: Upstream) -> App:
    """Turns away what a server of one era alone does not understand, in the words of such."""

    async def application(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            named = {n.decode(): v.decode("latin-1") for n, v in scope["headers"]}
            if scope["method"] == "POST" and named.get("mcp-method") != "subscriptions/listen":
                upstream.heads.append(named)  # by the others the gateway hears of changes
            modern = named.get("mcp-protocol-version") == MODERN.decode()
            if (only == "legacy" and modern) or (only == "modern" and not modern):
                await _turned_away(send, modern=not modern)
                return
        await app(scope, receive, send)

    return application


async def _turned_away(send: Any, *, modern: bool) -> None:
    data = '{"supported":["2026-07-28"],"requested":"older"}'
    body = b"Bad Request: Unsupported protocol version"
    if modern:
        text = f'{{"code":-32022,"message":"Unsupported protocol version","data":{data}}}'
        body = f'{{"jsonrpc":"2.0","id":null,"error":{text}}}'.encode()
    head = {"type": "http.response.start", "status": 400, "headers": []}
    await send(head)
    await send({"type": "http.response.body", "body": body})


def command(notes: Path) -> list[str]:
    """Words that start it in a process of its own, out of the same tree."""
    tree, module = str(Path(__file__).parents[2]), "tests.support.sdk_upstream"
    program = f"import runpy, sys; sys.path.insert(0, {tree!r}); runpy.run_module({module!r}"
    return [sys.executable, "-c", f"{program}, run_name='__main__')", str(notes)]


async def _stdio(notes: Path) -> None:
    server = build(notes)
    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())


if __name__ == "__main__":
    anyio.run(_stdio, Path(sys.argv[1]))
