"""An MCP server on the official SDK that says by itself when something changed, in either era.

Its tool `grow` adds a tool, `announce` says that a list changed though none did, `touch` changes
the resource `note://a`. Run as a script it speaks over its standard streams.
"""

from typing import Any

import anyio
import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.server.stdio import stdio_server
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ListenHandler,
    PromptsListChanged,
    ResourceUpdated,
    ToolsListChanged,
)

# ruff: noqa: ARG002  # a handler keeps the signature of its kind

Context = ServerRequestContext[Any, Any]
NOTE = "note://a"
SECRET = "note://secret"
ASKING = {"announce": "prompts", "grow": "tools", "touch": "resource"}


class Announcer:
    """The server, and what it was asked to tell of."""

    def __init__(self) -> None:
        self.tools = [_tool(name) for name in ASKING]
        self.bus = InMemorySubscriptionBus()
        self.subscribed: set[str] = set()
        self.listens: list[types.SubscriptionFilter] = []
        self._listen = ListenHandler(self.bus)
        self.server = Server(
            "announcer",
            version="1",
            on_list_tools=self._list_tools,
            on_call_tool=self._call,
            on_list_resources=self._list_resources,
            on_read_resource=self._read,
            on_subscribe_resource=self._subscribe,
            on_unsubscribe_resource=self._unsubscribe,
            on_subscriptions_listen=self._listened,
        )

    def end_listens(self) -> None:
        self._listen.close()

    async def _list_tools(self, ctx: Context, params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=list(self.tools))

    async def _call(self, ctx: Context, params: types.CallToolRequestParams) -> Any:
        if params.name == "grow":
            self.tools.append(_tool(f"grown_{len(self.tools)}"))
            await self.bus.publish(ToolsListChanged())
            await ctx.session.send_tool_list_changed()
        elif params.name == "announce":
            await self.bus.publish(PromptsListChanged())
            await ctx.session.send_prompt_list_changed()
        else:
            await self.bus.publish(ResourceUpdated(uri=NOTE))
            await ctx.session.send_resource_updated(NOTE)
        return types.CallToolResult(content=[types.TextContent(type="text", text="done")])

    async def _list_resources(self, ctx: Context, params: Any) -> types.ListResourcesResult:
        found = [types.Resource(uri=uri, name=uri) for uri in (NOTE, SECRET)]
        return types.ListResourcesResult(resources=found)

    async def _read(self, ctx: Context, params: types.ReadResourceRequestParams) -> Any:
        text = types.TextResourceContents(uri=str(params.uri), text="for a day")
        return types.ReadResourceResult(contents=[text], ttl_ms=86_400_000, cache_scope="public")

    async def _subscribe(self, ctx: Context, params: types.SubscribeRequestParams) -> Any:
        self.subscribed.add(str(params.uri))
        return types.EmptyResult()

    async def _unsubscribe(self, ctx: Context, params: types.UnsubscribeRequestParams) -> Any:
        self.subscribed.discard(str(params.uri))
        return types.EmptyResult()

    async def _listened(self, ctx: Context, params: types.SubscriptionsListenRequestParams) -> Any:
        self.listens.append(params.notifications)
        return await self._listen(ctx, params)


def _tool(name: str) -> types.Tool:
    return types.Tool(name=name, description=f"To {name}", input_schema={"type": "object"})


async def _stdio() -> None:
    server = Announcer().server
    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())


if __name__ == "__main__":
    anyio.run(_stdio)
