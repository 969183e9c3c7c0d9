"""Thousands of clients at an upstream of the initialize era: nothing of them is left behind.

Every client shows a credential of its own, so it has a session of its own; some are asked and
answer, some are asked and never come back, some leave in the middle.

    python -m tests.soak.sessions --clients 10000
"""

import argparse
import asyncio
import os
import random
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import uvloop

from connectors.mcp_http import HttpConfig, McpHttp
from connectors.services import Services
from mcp_gateway.core.call import Call
from mcp_gateway.core.credential import Credential
from mcp_gateway.core.errors import UpstreamBusy
from mcp_gateway.core.target import Target
from mcp_gateway.wire.http import HttpClient, Network
from tests.bench import machine
from tests.connectors.answering import able, answered, asked_of
from tests.support.calls import call
from tests.support.fakes import FakeLedger
from tests.support.sdk_upstream import Upstream, serving

WIDTH: Final = 12
MOST: Final = 16
"""Sessions at once, fewer than clients: so they end while others begin."""
WARM_UP: Final = 2_000
GROWTH: Final = 1.10
SETTLING: Final = 20.0


class Clients:
    """What one client after the other does, and how often each thing was done."""

    def __init__(self, connector: McpHttp) -> None:
        self._connector = connector
        self._chance = random.Random(7)
        self.done: dict[str, int] = {}
        self._kinds: tuple[Callable[[str], Awaitable[None]], ...] = (
            self._plain,
            self._answers,
            self._forgets,
            self._leaves,
        )

    async def one(self, number: int) -> None:
        kind = self._chance.choice(self._kinds)
        while not await self._admitted(kind, f"client-{number}"):
            self._count("waits")
        self._count(kind.__name__.removeprefix("_"))

    async def _admitted(self, kind: Callable[[str], Awaitable[None]], name: str) -> bool:
        """Whether there was room; a client who is told to come back later does."""
        try:
            await kind(name)
        except UpstreamBusy as busy:
            await asyncio.sleep(busy.retry_after)
            return False
        return True

    def _count(self, name: str) -> None:
        self.done[name] = self.done.get(name, 0) + 1

    async def _plain(self, name: str) -> None:
        answer = await self._connector.send(_call(name, "echo", text=name))
        assert answer.view()["content"][0]["text"] == name, answer.raw

    async def _answers(self, name: str) -> None:
        made = able(_call(name, "ask", kinds=["elicitation"]))
        given = {"action": "accept", "content": {"name": name}}
        answer = await answered(self._connector, made, await self._connector.send(made), given)
        assert answer.view()["content"][0]["text"] == f"the elicitation: accept {name}"

    async def _forgets(self, name: str) -> None:
        made = able(_call(name, "ask", kinds=["elicitation", "roots"]))
        parked = asked_of(await self._connector.send(made)).parked
        assert parked is not None
        await parked.abandon()

    async def _leaves(self, name: str) -> None:
        sending = asyncio.ensure_future(self._connector.send(_call(name, "slow", word=name)))
        await asyncio.sleep(self._chance.random() / 20)
        sending.cancel()
        with suppress(asyncio.CancelledError):
            await sending


def _call(name: str, tool: str, **arguments: object) -> Call:
    made = call(params={"name": f"up__{tool}", "arguments": arguments})
    made.target = Target("tool", "up", tool)
    made.credential = Credential(name, (("authorization", f"Bearer {name}"),))
    return made


async def soak(clients: int, folder: Path) -> None:
    http = HttpClient(Network(loopback=True))
    ledger = FakeLedger()
    services = Services(http, ledger, folder)
    async with serving(folder / "notes", only="legacy") as upstream:
        config = HttpConfig(url=upstream.url, sessions=MOST)
        connector = await McpHttp.open("up", config, services)
        running = Clients(connector)
        await _run(running, iter(range(WARM_UP)), upstream, ledger)
        before = machine.allocated(os.getpid())
        started = time.perf_counter()
        await _run(running, iter(range(WARM_UP, WARM_UP + clients)), upstream, ledger)
        seconds = time.perf_counter() - started
        after = machine.allocated(os.getpid())
        await connector.aclose()
        await _nothing_left(upstream)
    await http.aclose()
    said = ", ".join(f"{count} {name}" for name, count in sorted(running.done.items()))
    print(
        f"{clients} clients in {seconds:.0f} s ({said}), every answer right; at most {MOST} "
        f"sessions, none left; {before:.1f} MiB before, {after:.1f} MiB after"
    )
    if after > before * GROWTH:
        raise SystemExit(f"the memory grew by {after / before - 1:.0%}")


async def _run(
    running: Clients, numbers: Iterator[int], upstream: Upstream, ledger: FakeLedger
) -> None:
    async def lane() -> None:
        for number in numbers:
            await running.one(number)
            upstream.heads.clear()  # what the doubles keep is not the connector's memory
            ledger.entries.clear()
            if (kept := upstream.sessions()) > MOST + WIDTH:  # some are just being ended
                raise SystemExit(f"the upstream keeps {kept} sessions")

    async with asyncio.TaskGroup() as group:
        for _ in range(WIDTH):
            group.create_task(lane())


async def _nothing_left(upstream: Upstream) -> None:
    """Waits until the upstream has no session, and nobody a task for one."""
    try:
        async with asyncio.timeout(SETTLING):
            while upstream.sessions() or len(asyncio.all_tasks()) > MOST:
                await asyncio.sleep(0.1)
    except TimeoutError:
        kept, tasks = upstream.sessions(), len(asyncio.all_tasks())
        raise SystemExit(f"{kept} sessions and {tasks} tasks are left") from None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=10_000)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="sessions-"))
    try:
        uvloop.run(soak(asked.clients, folder))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
