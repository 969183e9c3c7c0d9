"""What one call costs the upstream, and that the number of tools does not make it dearer."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mcp_gateway.wire import jsonrpc
from tests.bench import load
from tests.support.gateway import GatewayUnderTest, gateway_under_test
from tests.support.raw_server import raw_server

CONFIG = """
[policy]
rules = ["builtin:first-run"]
[limits]
principal = {{ default = "1000000/second" }}
[servers.many]
connector = "mcp_http"
url = "{url}"
"""
FEW, MANY = 10, 1000


class Upstream:
    """Answers as a server with so many tools, and counts what it is asked."""

    def __init__(self, tools: int) -> None:
        self.asked: list[str] = []
        tool = {"description": "x" * 100, "inputSchema": {"type": "object"}}
        self._tools = [{"name": f"tool_{number}", **tool} for number in range(tools)]

    def __call__(self, request: bytes) -> bytes:
        message = jsonrpc.decode(request.partition(b"\r\n\r\n")[2])
        self.asked.append(message["method"])
        body = jsonrpc.result(
            jsonrpc.encode(message["id"]), jsonrpc.encode(self._result(message["method"]))
        )
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        return head % len(body) + body

    def _result(self, method: str) -> dict[str, Any]:
        common: dict[str, Any] = {"resultType": "complete"}
        match method:
            case "server/discover":
                return {**common, "supportedVersions": ["2026-07-28"], "capabilities": {}}
            case "tools/list":
                return {**common, "ttlMs": 0, "cacheScope": "private", "tools": self._tools}
            case "tools/call":
                return {**common, "content": [{"type": "text", "text": "x"}]}
            case _:
                return common


@asynccontextmanager
async def serving(
    folder: Path, tools: int
) -> AsyncIterator[tuple[GatewayUnderTest, Upstream, list[int]]]:
    upstream = Upstream(tools)
    async with (
        raw_server(upstream) as (url, opened),
        gateway_under_test(folder, CONFIG.format(url=url)) as gateway,
    ):
        await gateway.serving("many")
        yield gateway, upstream, opened


async def called(gateway: GatewayUnderTest, times: int) -> float:
    """Calls one after the other, and returns the seconds of CPU that this process took."""
    port = int(gateway.url.rpartition(":")[2])
    message = load.request(port, gateway.keys["admin"], "many__tool_3", "x")
    caller = (await asyncio.get_running_loop().create_connection(load.Caller, "127.0.0.1", port))[1]
    started = time.process_time()
    for _ in range(times):
        answer = await caller.call(message)
        assert re.search(rb'"text":"x"', answer), answer
    taken = time.process_time() - started
    caller.transport.close()
    return taken


@pytest.mark.requirement("forward:one-request-a-call")
async def test_a_call_is_one_upstream_request_on_a_connection_that_is_there(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, FEW) as (gateway, upstream, opened):
        await called(gateway, 3)
        upstream.asked.clear()
        before = len(opened)

        await called(gateway, 50)

        assert upstream.asked == ["tools/call"] * 50
        assert len(opened) == before


@pytest.mark.requirement("forward:tools-cost-calls-nothing")
async def test_a_call_among_a_thousand_tools_costs_what_it_costs_among_ten(
    tmp_path: Path,
) -> None:
    async with (
        serving(tmp_path / "few", FEW) as (few, _, _),
        serving(tmp_path / "many", MANY) as (many, _, _),
    ):
        await called(few, 50)
        await called(many, 50)
        taken = [(await called(few, 100), await called(many, 100)) for _ in range(7)]

    # Noise only ever adds, so the least of each is the nearest to the truth.
    assert min(m for _, m in taken) < 1.3 * min(f for f, _ in taken)


@pytest.mark.requirement("forward:tools-cost-calls-nothing")
async def test_a_listing_of_a_thousand_tools_is_asked_of_nobody(tmp_path: Path) -> None:
    async with serving(tmp_path, MANY) as (gateway, upstream, _):
        upstream.asked.clear()
        async with gateway.as_("admin") as client:
            listed = await client.list_tools()
            rest = await client.list_tools(cursor=listed.next_cursor)
        tools = [*listed.tools, *rest.tools]
        assert len([tool for tool in tools if tool.name.startswith("many__")]) == MANY
        assert set(upstream.asked) <= {"subscriptions/listen"}  # which comes when it likes
