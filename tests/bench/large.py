"""`python -m tests.bench.large`: a result of 100 MB, beside the same one without a gateway.

Upstream and caller run in this process, so times are theirs too: judge by CPU and by memory.
"""

import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httptools
import uvloop

from tests.bench import machine, routes
from tests.bench.routes import Route
from tests.connectors.http import Era
from tests.support.edge import BOTH, message, modern_headers, with_meta
from tests.support.large_upstream import Way, large_upstream
from tests.support.served import served

SIZE: Final = 100_000_000
ROUNDS: Final = 5
CONFIG: Final = """
[policy]
rules = ["rules.csv"]
[servers.large]
connector = "mcp_http"
url = "{url}"
guard = "{guard}"
"""
RULES: Final = "p, 10, all, role:user, *, */*/*, *, , allow,\n"


@dataclass
class Taken:
    """What one answer took."""

    seconds: float
    cpu: float
    grown: float


class Counted(asyncio.Protocol):
    """Reads one answer, and keeps nothing of it."""

    def __init__(self) -> None:
        self.done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.parser = httptools.HttpResponseParser(self)
        self.size = 0

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self.size += len(body)

    def on_message_complete(self) -> None:
        self.done.set_result(self.size)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done() and exc:
            self.done.set_exception(exc)
        elif not self.done.done():
            self.done.set_result(self.size)  # an answer without a length ends so


def request(route: Route, way: Way, size: int = SIZE) -> bytes:
    params = {"name": route.tool, "arguments": {"size": size, "way": way}}
    body = json.dumps(message("tools/call", with_meta(params))).encode()
    pairs = [
        (b"host", b"127.0.0.1:%d" % route.port),
        (b"authorization", b"Bearer " + route.key.encode()),
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        BOTH,
        *modern_headers("tools/call", params),
    ]
    head = b"".join(b"%b: %b\r\n" % pair for pair in pairs)
    return b"POST /mcp HTTP/1.1\r\n" + head + b"\r\n" + body


async def measured(route: Route, way: Way, size: int = SIZE) -> Taken:
    """One answer. Raises AssertionError when it is not all of it."""
    loop = asyncio.get_running_loop()
    before = machine.cpu(route.pid) if route.pid else 0.0
    memory = machine.memory(route.pid) if route.pid else 0.0
    transport, caller = await loop.create_connection(Counted, "127.0.0.1", route.port)
    started, most = time.perf_counter(), memory
    transport.write(request(route, way, size))
    while not caller.done.done():
        await asyncio.wait({caller.done}, timeout=0.05)
        most = max(most, machine.memory(route.pid)) if route.pid else 0.0
    seconds = time.perf_counter() - started
    assert await caller.done > 0.95 * size
    transport.close()
    return Taken(seconds, (machine.cpu(route.pid) if route.pid else 0.0) - before, most - memory)


@asynccontextmanager
async def all_routes(folder: Path, era: Era) -> AsyncIterator[list[Route]]:
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(large_upstream(era))
        port = int(upstream.url.split(":")[2].partition("/")[0])
        found = [Route("direct", port, "give")]
        if binary := shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin"):
            beside = routes.nginx(binary, port, folder)
            # In a thread: it asks the upstream, which answers on this loop.
            found.append(await asyncio.to_thread(stack.enter_context, beside))
        for guard in ("observe", "none"):
            at = folder / f"{era}-{guard}"
            at.mkdir()
            config = CONFIG.format(url=upstream.url, guard=guard)
            gateway = await stack.enter_async_context(served(at, config, {"rules.csv": RULES}))
            own = int(gateway.url.rpartition(":")[2])
            found.append(Route(guard, own, "large__give", gateway.key, gateway.pid))
        yield found


async def compare(folder: Path, way: Way) -> None:
    """The median of a few rounds, in turns; of memory the most that any took."""
    async with all_routes(folder, "modern") as found:
        for route in found:
            await measured(route, way, 10_000_000)
        taken: dict[str, list[Taken]] = {route.name: [] for route in found}
        for _ in range(ROUNDS):
            for route in found:
                taken[route.name].append(await measured(route, way))
    print(f"\n{SIZE // 1_000_000} MB, {way}")
    for name, rounds in taken.items():
        middle = sorted(rounds, key=lambda one: one.seconds)[ROUNDS // 2]
        grown = max(one.grown for one in rounds)
        print(
            f"  {name:8} {middle.seconds:5.2f} s, {SIZE / 1e6 / middle.seconds:5.0f} MB/s | "
            f"CPU {middle.cpu:5.2f} s | {grown:5.1f} MiB more at most"
        )


async def main() -> None:
    ways: tuple[Way, ...] = ("length", "chunked", "events")
    for way in ways:
        folder = Path(tempfile.mkdtemp(prefix="large-"))
        try:
            await compare(folder, way)
        finally:
            shutil.rmtree(folder)
    print(f"\ncalibration {machine.calibration():.0f} ms")


if __name__ == "__main__":
    uvloop.run(main())
