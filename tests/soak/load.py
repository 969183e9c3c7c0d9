"""Calls of every kind at once, through a real gateway: right answers, and nothing that grows.

python -m tests.soak.load --calls 100000
"""

import argparse
import asyncio
import itertools
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import uvloop

from mcp_gateway.ledger.verify import verify
from tests.bench import machine
from tests.soak import watched
from tests.soak.caller import Caller, Era
from tests.soak.faulty import Faulty
from tests.soak.kinds import LIMITED, RULES, Kind, Lane, plan
from tests.support.raw_server import raw_server
from tests.support.served import Served, served

WIDTH = 16
WARM_UP = 2000
GROWTH = 1.10
SETTLING = 60.0
CONFIG = """
[policy]
rules = ["soak.csv"]

[limits]
principal = { "@LIMITED@" = "1/day" }

[servers.orders]
connector = "openapi"
url = "http://127.0.0.1:{port}"
document = "builtin:orders"
command = ["@PYTHON@", "-m", "connectors.samples.orders", "{port}"]

[servers.pipe]
connector = "mcp_stdio"
command = ["@PYTHON@", "@EXAMPLE@"]

[servers.http]
connector = "mcp_http"
url = "http://127.0.0.1:{port}/mcp"
command = ["@PYTHON@", "@EXAMPLE@", "{port}"]

[servers.faulty]
connector = "mcp_http"
breaker = 0
url = "@FAULTY@"

[servers.late]
connector = "mcp_http"
breaker = 0
url = "@FAULTY@"
timeout = 0.3
"""


@dataclass(slots=True)
class Soak:
    """One gateway under load; `expected` counts the outcomes that its calls must have had."""

    gateway: Served
    faulty: Faulty
    key: str
    expected: Counter[str] = field(default_factory=Counter)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    async def use_up(self) -> None:
        """Makes the one call that the limit lets through."""
        async with httpx2.AsyncClient(base_url=self.gateway.url) as http:
            answer = await Caller(http, self.key).call("modern", "pipe__count", steps=1)
        assert answer.text == "1", answer
        self.expected["ok"] += 1

    async def run(self, planned: Sequence[tuple[Kind, Era]]) -> float:
        """Makes the calls. Raises AssertionError for a wrong answer. Returns the seconds."""
        started = time.perf_counter()
        rest = iter(planned)
        async with asyncio.TaskGroup() as group:
            for _ in range(WIDTH):
                group.create_task(self._lane(rest))
        self.expected.update(kind.outcome for kind, _ in planned)
        return time.perf_counter() - started

    async def _lane(self, rest: Iterator[tuple[Kind, Era]]) -> None:
        async with httpx2.AsyncClient(base_url=self.gateway.url, timeout=30) as http:
            caller = Caller(http, self.key)
            lane = Lane(caller, self.faulty)
            for kind, era in rest:
                await kind.run(lane, era, f"text {next(self.numbers)}")
            await caller.aclose()

    async def counted(self) -> Counter[str]:
        async with httpx2.AsyncClient(base_url=self.gateway.url) as http:
            return watched.counted((await http.get("/metrics")).text)

    async def settled(self, files: int) -> None:
        """Waits until all calls have ended and what they opened is closed again."""
        try:
            async with asyncio.timeout(SETTLING):
                while (await self.counted()).total() < self.expected.total():
                    await asyncio.sleep(0.1)
                while watched.open_files(self.gateway.pid) > files:
                    await asyncio.sleep(0.5)
        except TimeoutError:
            ended, left = await self.counted(), watched.open_files(self.gateway.pid)
            raise SystemExit(
                f"{ended.total()} of {self.expected.total()} calls have ended; "
                f"{left} files are open, and were {files}"
            ) from None


async def soak(calls: int, folder: Path) -> None:
    faulty = Faulty()
    async with raw_server(faulty.answer) as (url, _):
        config = CONFIG.replace("@FAULTY@", url).replace("@LIMITED@", LIMITED)
        async with served(folder, config, {"soak.csv": RULES}) as gateway:
            running = Soak(gateway, faulty, gateway.key)
            await _load(running, calls)
            counted = await running.counted()
    recorded = watched.recorded(gateway)
    if not recorded == counted == running.expected:
        raise SystemExit(f"made {running.expected}, counted {counted}, recorded {recorded}")
    if damage := [d for report in verify(gateway.data / "ledger") for d in report.damage]:
        raise SystemExit(f"the ledger does not verify: {damage[:5]}")
    print(", ".join(f"{count} {outcome}" for outcome, count in recorded.most_common()))


async def _load(running: Soak, calls: int) -> None:
    pid = running.gateway.pid
    files = watched.open_files(pid)
    await running.use_up()
    await running.run(plan(max(WARM_UP, calls // 10), seed=1))
    await running.settled(files)
    before = machine.allocated(pid)
    seconds = await running.run(plan(calls, seed=2))
    await running.settled(files)
    after = machine.allocated(pid)
    print(
        f"{calls} calls in {seconds:.0f} s ({calls / seconds:.0f} a second), every answer right; "
        f"{before:.1f} MiB before, {after:.1f} MiB after; {files} open files before and after"
    )
    if after > before * GROWTH:
        raise SystemExit(f"the memory grew by {after / before - 1:.0%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=100_000)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="load-"))
    try:
        uvloop.run(soak(asked.calls, folder))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
