"""What a whole gateway shows its upstreams, whatever is called, and what the ledger says of it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.connectors.http import Asked, Raw, error, raw_upstream, result
from tests.support.gateway import GatewayUnderTest, gateway_under_test
from tests.support.identity_provider import SECRET, Authority, authority
from tests.support.tcp import plain

CONFIG = """
[policy]
rules = ["@FOLDER@/all.csv"]

[servers.up]
connector = "mcp_http"
url = "@UP@"

[servers.up.grant]
kind = "service"
client = "the-gateway"
client_secret = { file = "@FOLDER@/client" }
issuer = "@SERVER@"
resource = "@UP@"
scopes = ["read"]
tools = { "write_*" = ["write"] }
"""
SCHEMA = {"type": "object"}
LISTS: dict[str, dict[str, Any]] = {
    "tools/list": {"tools": [{"name": n, "inputSchema": SCHEMA} for n in ("look", "write_it")]},
    "resources/list": {"resources": [{"uri": "file:///a", "name": "a"}]},
    "prompts/list": {"prompts": [{"name": "greet"}]},
    "resources/templates/list": {"resourceTemplates": []},
}
ANSWERS: dict[str, dict[str, Any]] = {
    "tools/call": {"content": [{"type": "text", "text": "done"}]},
    "resources/read": {"contents": [{"uri": "file:///a", "text": "a"}]},
    "prompts/get": {"messages": []},
}


class Resource:
    """Takes the tokens of a server, but those that are `over`."""

    def __init__(self) -> None:
        self.over: set[str] = set()
        self.shown: list[tuple[str, str]] = []

    def __call__(self, asked: Asked) -> bytes:
        shown = asked.head.get("authorization", "")
        if asked.method == "server/discover":
            capabilities: dict[str, Any] = {"tools": {}, "resources": {}, "prompts": {}}
            said = {"supportedVersions": ["2026-07-28"], "capabilities": capabilities}
            return result(asked, {"resultType": "complete", **said})
        if asked.method in ANSWERS:
            self.shown.append((asked.method, shown))
            if shown in self.over:
                return plain(b"no", status=b"401 Unauthorized")
        found = {**LISTS, **ANSWERS}.get(asked.method)
        return result(asked, {"resultType": "complete", **found}) if found else error(asked, -32601)


@asynccontextmanager
async def _gateway(
    folder: Path,
) -> AsyncIterator[tuple[GatewayUnderTest, Resource, Authority, Raw]]:
    (folder / "all.csv").write_text("p, 10, all, *, *, */*/*, *, , allow,\n")
    (folder / "client").write_text(SECRET)
    say = Resource()
    with authority() as server:
        async with raw_upstream(say, era="") as up:
            config = CONFIG.replace("@FOLDER@", str(folder)).replace("@UP@", up.url)
            async with gateway_under_test(
                folder, config.replace("@SERVER@", server.url)
            ) as running:
                await running.serving("up")
                yield running, say, server, up


@pytest.mark.requirement("broker:used-alike")
async def test_whatever_is_called_is_called_with_the_scopes_that_it_needs(tmp_path: Path) -> None:
    async with _gateway(tmp_path) as (gateway, resource, server, _):
        async with gateway.as_("alice") as client:
            await client.call_tool("up__look", {})
            await client.call_tool("up__write_it", {})
            await client.read_resource("file:///a")
            await client.get_prompt("up__greet", {})
        scopes = [
            (method, server.claims(shown.removeprefix("Bearer "))["scope"])
            for method, shown in resource.shown
        ]
        recorded = [
            line["credential_scopes"] for line in gateway.outcomes() if "credential" in line
        ]

    assert scopes == [
        ("tools/call", "read"),
        ("tools/call", "read write"),
        ("resources/read", "read"),
        ("prompts/get", "read"),
    ]
    assert recorded == [["read"], ["read", "write"], ["read"], ["read"]]


@pytest.mark.requirement("broker:one-flight")
async def test_64_calls_whose_token_is_over_obtain_one_new_token(tmp_path: Path) -> None:
    async with _gateway(tmp_path) as (gateway, resource, server, _):
        async with gateway.as_("alice") as client:
            await client.call_tool("up__look", {})
            resource.over = {shown for _, shown in resource.shown}
            before = len(server.asked)
            results = await asyncio.gather(*(client.call_tool("up__look", {}) for _ in range(64)))
        after = len(server.asked)

    assert not any(found.is_error for found in results)
    assert after - before == 1
    assert len(Counter(shown for _, shown in resource.shown)) == 2
