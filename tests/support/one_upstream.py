"""A gateway before one upstream that asks, and clients that answer: what scenarios of it share."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2
import mcp_types as types

from mcp_gateway.ledger.reader import Line
from mcp_gateway.wire import modern
from tests.support.gateway import GatewayUnderTest, gateway_under_test
from tests.support.sdk_upstream import Upstream, serving

CONFIG: Final = """
[policy]
rules = ["builtin:first-run"]

[servers.everything]
connector = "mcp_http"
url = "@URL@"
"""
BESIDE: Final = frozenset({"tools/list", "subscriptions/listen"})
"""What the SDK's client asks for of its own accord."""


@dataclass
class World:
    gateway: GatewayUnderTest
    upstream: Upstream

    def entries(self, kind: str) -> list[Line]:
        """Of the calls that a test makes."""
        lines = [line for line in self.gateway.entries() if line["kind"] == kind]
        return [line for line in lines if line["method"] not in BESIDE]


@asynccontextmanager
async def one_upstream(folder: Path, more: str = "") -> AsyncIterator[World]:
    """The SDK's server of 2026-07-28 as `everything`, under the rules of a first run."""
    async with (
        serving(folder / "notes", only="modern") as upstream,
        gateway_under_test(folder, CONFIG.replace("@URL@", upstream.url) + more) as gateway,
    ):
        await gateway.serving("everything")
        yield World(gateway, upstream)


def text(result: Any) -> str:
    return str(result.content[0].text)


async def posted(
    gateway: GatewayUnderTest,
    params: Mapping[str, Any],
    *pairs: tuple[str, str],
    subject: str = "alice",
    able: Mapping[str, Any] | None = None,
) -> httpx2.Response:
    """A call of a tool as raw as a runtime of 2026-07-28 could send it.

    `able` are the capabilities that it declares, `pairs` further headers.
    """
    headers = [
        ("mcp-protocol-version", modern.REVISION),
        ("mcp-method", "tools/call"),
        ("mcp-name", params["name"]),
        ("accept", "application/json, text/event-stream"),
        *pairs,
    ]
    meta = {modern.META_VERSION: modern.REVISION, modern.META_CAPABILITIES: able or {}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {**params, "_meta": meta}}
    raw = [(name.encode(), value.encode()) for name, value in headers]
    async with gateway.http(subject) as http:
        return await http.post("/mcp", json=body, headers=raw)


async def named(_: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
    if isinstance(params, types.ElicitRequestURLParams):
        return types.ElicitResult(action="accept")
    assert params.message == "Who are you?"
    return types.ElicitResult(action="accept", content={"name": "Ada"})


async def rooted(_: Any) -> types.ListRootsResult:
    return types.ListRootsResult(roots=[types.Root(uri="file:///work")])


async def sampled(_: Any, params: Any) -> types.CreateMessageResult:
    content = types.TextContent(type="text", text="sampled")
    return types.CreateMessageResult(role="assistant", content=content, model="m")


EVERYTHING: Final[dict[str, Any]] = {
    "elicitation_callback": named,
    "sampling_callback": sampled,
    "list_roots_callback": rooted,
}
"""A client that answers whatever it is asked."""


async def asked_everything(world: World, mode: str) -> str:
    """What comes of a call that asks somebody who may be asked everything all at once."""
    async with world.gateway.as_("admin", mode, **EVERYTHING) as client:
        arguments = {"kinds": ["elicitation", "sampling", "roots"]}
        return text(await client.call_tool("everything__ask", arguments))
