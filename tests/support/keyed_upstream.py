"""An MCP server on the official SDK that knows people by their keys, and lists what each opens."""

import json
import socket
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator, Mapping, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.shared.exceptions import MCPError

from mcp_gateway.edge import asgi
from tests.support.apps import served_at

BOUND = 10.0
MINE = "note://mine"
METADATA = "/.well-known/oauth-protected-resource/mcp"
BARE = (b"www-authenticate", b'Bearer realm="keyed"')
Scope = MutableMapping[str, Any]
Context = ServerRequestContext[Any, Any]


@dataclass
class Keyed:
    """`keys` says which tools each key opens, and may be changed at any time."""

    url: str = ""
    keys: dict[str, list[str]] = field(default_factory=dict)
    called: list[tuple[str, str]] = field(default_factory=list)
    """Each call that arrived: whose key, and the tool."""
    bodies: list[bytes] = field(default_factory=list)
    issuer: str = ""
    """The authorization server whose JWT access tokens it takes instead of keys, if any."""
    words: dict[str, str] = field(default_factory=dict)
    """What the descriptions of the tools say besides, by key."""
    refused: set[str] = field(default_factory=set)
    """Tokens that it takes no more."""

    def server(self) -> Server[Any]:
        return Server(
            "keyed",
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
            on_list_prompts=_list_prompts,
            on_get_prompt=_get_prompt,
            on_list_resources=_list_resources,
            on_read_resource=_read_resource,
        )

    async def _list_tools(self, ctx: Context, params: Any) -> types.ListToolsResult:  # noqa: ARG002
        key = _key(ctx)
        tools = [_tool(name, self.words.get(key, "")) for name in self.keys[key]]
        return types.ListToolsResult(tools=tools)

    async def _call_tool(
        self, ctx: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        key = _key(ctx)
        self.called.append((key, params.name))
        if params.name not in self.keys[key]:
            raise MCPError(types.INVALID_PARAMS, f"no tool is called {params.name}")
        said = types.TextContent(type="text", text=f"{params.name} for {key}")
        return types.CallToolResult(content=[said])

    def guarded(self, app: Any) -> Any:
        """Turns away who has no key, or one that opens nothing any more."""

        async def application(scope: Scope, receive: Any, send: Any) -> None:
            if scope["type"] == "http" and scope["path"] == METADATA and self.issuer:
                document = {"resource": self.url, "authorization_servers": [self.issuer]}
                await asgi.respond(send, 200, json.dumps(document).encode())
                return
            if scope["type"] == "http" and self._whose(scope) not in self.keys:
                challenge = f'Bearer resource_metadata="{self.url.removesuffix("/mcp")}{METADATA}"'
                headers = [(b"www-authenticate", challenge.encode())]
                await asgi.respond(send, 401, b"", headers if self.issuer else [BARE])
                return
            if scope["type"] == "http":
                scope["whose"] = self._whose(scope)
            await app(scope, self._noting(scope, receive), send)

        return application

    def _whose(self, scope: Scope) -> str:
        """The key; of a token of the issuer's for this very server, the subject."""
        shown = _bearer(scope)
        if not self.issuer or shown in self.refused:
            return "" if self.issuer else shown
        try:
            claims = json.loads(urlsafe_b64decode(shown.split(".")[1] + "=="))
        except (IndexError, ValueError):
            return ""
        good = (claims["iss"], claims["aud"]) == (self.issuer, self.url)
        return str(claims["sub"]) if good else ""

    def _noting(self, scope: Scope, receive: Any) -> Any:
        async def noting() -> Mapping[str, Any]:
            message: Mapping[str, Any] = await receive()
            if scope["type"] == "http":
                self.bodies.append(message.get("body", b""))
            return message

        return noting


@asynccontextmanager
async def keyed_upstream(**keys: list[str]) -> AsyncIterator[Keyed]:
    """Serves over HTTP until it is left."""
    keyed = Keyed(keys=dict(keys))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        keyed.url = f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
        async with served_at(keyed.guarded(keyed.server().streamable_http_app()), listening):
            yield keyed


def _tool(name: str, words: str) -> types.Tool:
    schema = {"type": "object", "properties": {}}
    return types.Tool(name=name, description=f"The tool {name}{words}", input_schema=schema)


def _bearer(scope: Scope) -> str:
    headers = dict(scope["headers"])
    return str(headers.get(b"authorization", b"").removeprefix(b"Bearer ").decode("latin-1"))


def _key(ctx: Context) -> str:
    return str(ctx.request.scope["whose"]) if ctx.request else ""


async def _list_prompts(ctx: Context, params: Any) -> types.ListPromptsResult:
    return types.ListPromptsResult(prompts=[types.Prompt(name="greet")])


async def _get_prompt(ctx: Context, params: Any) -> types.GetPromptResult:
    said = types.TextContent(type="text", text=f"greet for {_key(ctx)}")
    return types.GetPromptResult(messages=[types.PromptMessage(role="user", content=said)])


async def _list_resources(ctx: Context, params: Any) -> types.ListResourcesResult:
    return types.ListResourcesResult(resources=[types.Resource(name="mine", uri=MINE)])


async def _read_resource(ctx: Context, params: Any) -> types.ReadResourceResult:
    text = f"mine for {_key(ctx)}"
    return types.ReadResourceResult(contents=[types.TextResourceContents(uri=MINE, text=text)])
