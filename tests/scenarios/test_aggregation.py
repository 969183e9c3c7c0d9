"""Many upstreams at one URL: lists in one order, and addresses that several of them have."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from mcp_gateway.wire import jsonrpc
from tests.connectors.http import Asked, error, raw_upstream, result
from tests.support.gateway import GatewayUnderTest, gateway_under_test
from tests.support.tcp import plain
from tests.support.waiting import until

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
RULES = """\
p, 10, no-method, role:user, *, method/beta/*, *, , deny,
p, 20, all, role:user, *, */*/*, *, , allow,
"""
ENTRIES = b'[{"uri":"skill://a/SKILL.md","frontmatter":{"name":"\\u00e9"},"x":1.50,"y":[ ]}]'
SKILLS = b'{"skills":%b,"resultType":"complete","ttlMs":1,"cacheScope":"public"}' % ENTRIES
SERVER = """
[servers.{name}]
connector = "mcp_http"
url = "{url}"
trust = "follow"
concurrency = 8
"""


class Shop:
    """An upstream with so many tools, and what else a test gives it."""

    def __init__(self, name: str, tools: int = 0) -> None:
        self.name = name
        self.tools: list[dict[str, Any]] = [{"name": f"tool_{n:05}"} for n in range(tools)]
        self.resources: list[dict[str, Any]] = []
        self.templates: list[dict[str, Any]] = []

    def __call__(self, asked: Asked) -> bytes:
        params = asked.message.get("params", {})
        if asked.method == "skills/list":
            return plain(jsonrpc.result(asked.id, SKILLS), b"content-type: application/json")
        schema = {"inputSchema": {"type": "object"}}
        known: dict[str, dict[str, Any]] = {
            "tools/list": {"tools": [tool | schema for tool in self.tools]},
            "resources/list": {"resources": self.resources},
            "resources/templates/list": {"resourceTemplates": self.templates},
            "resources/read": {"contents": [{"uri": params.get("uri"), "text": self.name}]},
            "vendor/unknown": {"resultType": "vendor/own", "params": params},
        }
        found = known.get(asked.method)
        return error(asked, -32601) if found is None else result(asked, found)


@asynccontextmanager
async def together(folder: Path, *shops: Shop, page: int = 1000) -> AsyncIterator[GatewayUnderTest]:
    """The gateway with a server for each."""
    async with AsyncExitStack() as stack:
        config = f'page = {page}\n[policy]\nrules = ["all.csv"]\n'
        for shop in shops:
            upstream = await stack.enter_async_context(raw_upstream(shop))
            config += SERVER.format(name=shop.name, url=upstream.url)
        (folder / "var").mkdir(mode=0o700)
        (folder / "var" / "all.csv").write_text(RULES)
        gateway = await stack.enter_async_context(gateway_under_test(folder, config))
        await gateway.serving(*(shop.name for shop in shops))
        yield gateway


async def answered(
    http: httpx2.AsyncClient, method: str, path: str = "/mcp", **params: Any
) -> dict[str, Any]:
    """The message that answers a request of Alice's."""
    answer: dict[str, Any] = (await asked_for(http, method, path, **params)).json()
    return answer


async def asked_for(
    http: httpx2.AsyncClient, method: str, path: str = "/mcp", **params: Any
) -> httpx2.Response:
    headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": method}
    if "uri" in params:
        headers["mcp-name"] = params["uri"]
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params | {"_meta": META}}
    return await http.post(path, json=message, headers=headers)


@pytest.mark.requirement("listing:pages")
@pytest.mark.requirement("listing:one-order")
async def test_ten_thousand_tools_of_three_upstreams_page_in_one_order_through_a_swap(
    tmp_path: Path,
) -> None:
    shops = [Shop("gamma", 3300), Shop("alpha", 3300), Shop("beta", 3400)]
    names: list[str] = []
    cursor: dict[str, str] = {}
    async with together(tmp_path, *shops) as gateway, gateway.http("alice") as http:
        running = gateway.parts.snapshots.running["gamma"]
        for number in range(20):
            listed = (await answered(http, "tools/list", **cursor))["result"]
            names += [tool["name"] for tool in listed["tools"]]
            if "nextCursor" not in listed:
                break
            cursor = {"cursor": listed["nextCursor"]}
            if number == 4:  # in the middle of beta's
                shops[0].tools = [{"name": "later"}, *shops[0].tools[1:]]
                running.wanted.set()
                await until(lambda: ("tool", "gamma__later") in catalog(gateway))

    kept = {f"{s.name}__tool_{n:05}" for s in shops for n in range(3300)} - {"gamma__tool_00000"}
    assert number == 10
    assert names == sorted(names)
    assert len(names) == len(set(names))
    assert kept | {"gamma__later"} <= set(names)


def catalog(gateway: GatewayUnderTest) -> Any:
    snapshot = gateway.parts.current.of("default")
    return snapshot.catalog if snapshot else {}


@pytest.mark.requirement("resources:one-address-of-several-servers")
async def test_an_address_of_two_servers_is_read_where_each_is(tmp_path: Path) -> None:
    alpha, beta = Shop("alpha"), Shop("beta")
    alpha.resources = beta.resources = [{"uri": "note://a", "name": "a"}]
    alpha.templates = [{"uriTemplate": "note://b/{x}", "name": "b"}]
    beta.templates = [{"uriTemplate": "note://{x}", "name": "x"}]
    async with together(tmp_path, alpha, beta) as gateway, gateway.http("alice") as http:
        listed = (await answered(http, "resources/list"))["result"]["resources"]
        tied = await answered(http, "resources/read", uri="note://a")
        there = await answered(http, "resources/read", "/servers/beta/mcp", uri="note://a")
        longest = await answered(http, "resources/read", uri="note://b/1")

    assert [each["uri"] for each in listed if each["uri"].startswith("note:")] == ["note://a"] * 2
    assert tied["error"]["code"] == -32602
    assert "/servers/alpha/mcp or /servers/beta/mcp" in tied["error"]["message"]
    assert there["result"]["contents"][0]["text"] == "beta"
    assert longest["result"]["contents"][0]["text"] == "alpha"


@pytest.mark.requirement("apps:resources-go-with-their-tools")
async def test_what_a_tool_shows_is_read_at_its_server_though_no_list_has_it(
    tmp_path: Path,
) -> None:
    alpha, beta = Shop("alpha"), Shop("beta")
    shown = {"ui": {"resourceUri": "ui://alpha/view", "visibility": ["model", "app"]}, "own": [1]}
    alpha.tools = [{"name": "open", "_meta": shown}]
    async with together(tmp_path, alpha, beta) as gateway, gateway.http("alice") as http:
        tools = (await answered(http, "tools/list"))["result"]["tools"]
        read = await answered(http, "resources/read", uri="ui://alpha/view")
        other = await answered(http, "resources/read", uri="ui://beta/view")

    assert next(t["_meta"] for t in tools if t["name"] == "alpha__open") == shown
    assert read["result"]["contents"] == [{"uri": "ui://alpha/view", "text": "alpha"}]
    assert "no resource is called" in json.dumps(other["error"])


@pytest.mark.requirement("extensions:unknown-ones-pass-where-allowed")
async def test_skills_and_methods_that_nobody_knows_pass_at_their_server_where_policy_allows_them(
    tmp_path: Path,
) -> None:
    shops = Shop("alpha"), Shop("beta")
    async with together(tmp_path, *shops) as gateway, gateway.http("alice") as http:
        skills = await asked_for(http, "skills/list", "/servers/alpha/mcp")
        unknown = await answered(http, "vendor/unknown", "/servers/alpha/mcp", x=[1])
        denied = await answered(http, "vendor/unknown", "/servers/beta/mcp", x=[1])
        nowhere = await answered(http, "vendor/unknown", x=[1])

    assert b'"skills":' + ENTRIES in skills.content
    assert unknown["result"]["resultType"] == "vendor/own"
    assert unknown["result"]["params"]["x"] == [1]
    assert "no-method" in denied["error"]["message"]
    assert nowhere["error"]["code"] == -32601
