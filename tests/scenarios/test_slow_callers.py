"""Callers that are slow on purpose keep nobody else waiting."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from mcp_gateway.edge import room
from tests.soak.caller import Caller
from tests.support.gateway import GatewayUnderTest, gateway_under_test

CONFIG: Final = """
[policy]
rules = ["builtin:first-run"]
"""
SLOW: Final = 1000
HEAD: Final = b"POST /mcp HTTP/1.1\r\nhost: %b\r\n"
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[GatewayUnderTest]:
    async with gateway_under_test(tmp_path, CONFIG) as running:
        yield running


def host(gateway: GatewayUnderTest) -> str:
    return gateway.url.removeprefix("http://")


@asynccontextmanager
async def connected(
    gateway: GatewayUnderTest, many: int, first: bytes
) -> AsyncIterator[list[Connection]]:
    """So many connections, each of which has said this."""
    name, _, port = host(gateway).partition(":")
    made: list[Connection] = []
    try:
        while len(made) < many:
            batch = [
                asyncio.open_connection(name, int(port)) for _ in range(min(100, many - len(made)))
            ]
            made += await asyncio.gather(*batch)
        for _, writer in made:
            writer.write(first)
        yield made
    finally:
        for _, writer in made:
            writer.transport.abort()


async def listed(gateway: GatewayUnderTest) -> float:
    """Seconds that a good caller's request takes, on a connection of its own."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with gateway.http("alice") as http:
        answer = await Caller(http, gateway.keys["alice"]).ask("modern", "tools/list", {})
    assert answer.status == 200
    assert answer.result["tools"]
    return loop.time() - started


@pytest.mark.requirement("edge:slow-callers-hold-nobody")
@pytest.mark.parametrize("kind", ["nothing", "half a head", "half a body", "no reader"])
async def test_a_good_caller_is_answered_beside_1000_slow_ones(
    gateway: GatewayUnderTest, kind: str
) -> None:
    alone = await listed(gateway)
    head = HEAD % host(gateway).encode()
    bearer = b"authorization: Bearer %b\r\n" % gateway.keys["alice"].encode()
    json = b"content-type: application/json\r\n"
    first = {
        "nothing": b"",
        "half a head": head + b"x-slow: y\r\n",
        "half a body": head + bearer + json + b'content-length: 1000\r\n\r\n{"jsonrpc":',
        "no reader": b"GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n" * 2,
    }[kind]

    async with connected(gateway, SLOW, first) as slow:
        for _ in range(3):
            assert await listed(gateway) < alone + 2.0
            for _, writer in slow[::10]:
                writer.write(b"x")  # a byte now and then: they are slow, not gone
        open_ = sum(not writer.transport.is_closing() for _, writer in slow)

    assert open_ == SLOW or kind == "no reader"


@pytest.mark.requirement("edge:connections-are-bounded")
async def test_beyond_the_bound_the_longest_idle_make_room(
    gateway: GatewayUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MOST", 100)
    async with connected(gateway, 150, b"") as idle:
        await listed(gateway)
        ended = 0
        for reader, _ in idle:
            try:
                async with asyncio.timeout(0.05):
                    ended += await reader.read(1) == b""
            except TimeoutError:
                continue

    assert 50 <= ended < 150
