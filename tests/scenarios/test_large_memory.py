"""A result of 100 MB is relayed in constant memory, by a gateway that is a process of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import httpx2
import pytest

from tests.bench.machine import allocated
from tests.connectors.http import Era
from tests.support.edge import BOTH, INITIALIZE, message, modern_headers, with_meta
from tests.support.large_upstream import Large, Way, large_upstream
from tests.support.served import Served, served

CONFIG = """
[policy]
rules = ["rules.csv"]

[servers.large]
connector = "mcp_http"
url = "{url}"
guard = "{guard}"
"""
RULES = "p, 10, all, role:user, *, */*/*, *, , allow,\n"
SIZE = 100_000_000
ALLOWED = 16.0
"""MiB that the gateway may grow by."""


@asynccontextmanager
async def relayed(folder: Path, guard: str = "observe") -> AsyncIterator[tuple[Served, Large]]:
    async with large_upstream() as upstream:
        config = CONFIG.format(url=upstream.url, guard=guard)
        async with served(folder, config, {"rules.csv": RULES}) as gateway:
            yield gateway, upstream


@asynccontextmanager
async def asked(
    gateway: Served, era: Era, size: int, way: Way = "length"
) -> AsyncIterator[httpx2.Response]:
    """The answer to a call, as it comes."""
    params = {"name": "large__give", "arguments": {"size": size, "way": way}}
    headers = [BOTH]
    if era == "modern":
        params = with_meta(params)
        headers += modern_headers("tools/call", params)
    bearer = {"authorization": f"Bearer {gateway.key}"}
    async with httpx2.AsyncClient(base_url=gateway.url, headers=bearer, timeout=60) as http:
        if era == "legacy":
            begun = await http.post("/mcp", json=message("initialize", INITIALIZE), headers=headers)
            headers.append((b"mcp-session-id", begun.headers["mcp-session-id"].encode()))
        call = message("tools/call", params)
        async with http.stream("POST", "/mcp", json=call, headers=headers) as response:
            yield response


class Highest:
    """The most memory that a process had while this was open."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.most = 0.0

    async def __aenter__(self) -> Self:
        self._watching = asyncio.get_running_loop().create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._watching.cancel()

    async def _watch(self) -> None:
        while True:
            self.most = max(self.most, await asyncio.to_thread(allocated, self._pid))
            await asyncio.sleep(0.02)


async def read(response: httpx2.Response, pause: float) -> tuple[int, bytes]:
    """How many bytes came, and the last of them."""
    size, last = 0, b""
    async for piece in response.aiter_raw():
        size, last = size + len(piece), (last + piece)[-100:]
        if pause and size % 7 == 0:
            await asyncio.sleep(pause)
    return size, last


@pytest.mark.requirement("streams:constant-memory")
@pytest.mark.parametrize(
    ("era", "way", "pause"),
    [("modern", "length", 0), ("modern", "events", 0.003), ("legacy", "chunked", 0)],
)
async def test_100_mb_pass_in_constant_memory(
    tmp_path: Path, era: Era, way: Way, pause: float
) -> None:
    async with relayed(tmp_path) as (gateway, _):
        async with asked(gateway, era, 1_000_000, way) as response:  # what a first call costs
            await read(response, 0)
        before = allocated(gateway.pid)

        async with Highest(gateway.pid) as seen, asked(gateway, era, SIZE, way) as response:
            size, last = await read(response, pause)

        print(f"{era} {way}: {before:.1f} MiB before, {seen.most:.1f} at most")
        assert size > 0.99 * SIZE
        assert last.strip().endswith(b"}}}}")
        assert gateway.entries("outcome")[-1]["outcome"] == "ok"
        assert seen.most - before < ALLOWED


@pytest.mark.requirement("streams:held-while-owed")
async def test_what_has_to_be_held_lies_in_a_file_while_it_arrives(tmp_path: Path) -> None:
    async with relayed(tmp_path, guard="standard") as (gateway, upstream):
        before = allocated(gateway.pid)
        async with asked(gateway, "modern", SIZE) as response:
            refused = await response.aread()

        assert b"result_too_large" in refused
        assert upstream.sent < SIZE
        assert allocated(gateway.pid) - before < ALLOWED
