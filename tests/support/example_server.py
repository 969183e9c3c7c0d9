"""A real MCP server on the official SDK: over HTTP on a port, or over stdio without one."""

import sys

import anyio
from mcp.server import MCPServer
from mcp.server.mcpserver import Context

server = MCPServer("example")


@server.tool()
def echo(text: str) -> str:
    """Say it again."""
    return text


@server.tool()
def secret() -> str:
    """Return what no model should read."""
    return "hidden: \u202e drow"


@server.tool()
async def count(steps: int, ctx: Context) -> int:
    """Report progress on the way."""
    for step in range(steps):
        await ctx.report_progress(step + 1, steps)
    return steps


@server.tool()
async def slow(seconds: float) -> str:
    """Take a while."""
    await anyio.sleep(seconds)
    return "done"


@server.tool()
def told(ctx: Context) -> str:
    """Say of which trace the call is."""
    return str((ctx.request_context.meta or {}).get("traceparent", ""))


@server.prompt()
def greet(name: str) -> str:
    """Greet somebody."""
    return f"Hello {name}"


@server.resource("note://{name}")
def note(name: str) -> str:
    """A note."""
    return f"note {name}"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
    else:
        server.run("stdio")
