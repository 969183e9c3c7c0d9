"""`kill -9` of a whole gateway under load: every call that was answered has its two entries.

python -m tests.soak.kill9_gateway --kills 50

Each answer carries its receipt (log, index): that very entry has to be there, and no place is ever
given twice.
"""

import argparse
import asyncio
import random
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import uvloop

from mcp_gateway.edge.refusals import RECEIPT
from mcp_gateway.ledger import reader
from mcp_gateway.ledger.verify import verify
from mcp_gateway.wire import jsonrpc
from tests.bench import load
from tests.bench.routes import BOUND, CONFIG, started, until_open, until_ready
from tests.support.gateway import free_port

WIDTH = 16
KEY = re.compile(r"mcpgw_[0-9a-f]{8}_[\w-]{43}")
Receipt = Mapping[str, Any]


class Gateway:
    """One installation, started and killed again and again."""

    def __init__(self, folder: Path, durability: str, upstream: int) -> None:
        self.data = folder / "var"
        self.data.mkdir(mode=0o700)
        self.port = free_port()
        self.key = ""
        self._out = folder / "out"
        text = CONFIG.format(port=self.port, upstream=upstream, durability=durability)
        (self.data / "gateway.toml").write_text(text)

    def killed(self, seconds: float) -> list[Receipt]:
        """The receipts of one life: it is killed after so long under load."""
        command = [sys.executable, "-m", "mcp_gateway", "serve", "--data", str(self.data)]
        with started(command, self._out) as process:
            until_ready(self.port)
            self.key = self.key or self._printed()
            return uvloop.run(self._loaded(process.kill, seconds))

    def _printed(self) -> str:
        """The key of the first start: it may be ready a moment before it is printed."""
        begun = time.perf_counter()
        while time.perf_counter() - begun < BOUND:
            if found := KEY.search(self._out.read_text()):
                return found[0]
            time.sleep(0.02)
        raise SystemExit("the gateway printed no key")

    async def _loaded(self, kill: Any, seconds: float) -> list[Receipt]:
        loop = asyncio.get_running_loop()
        message = load.request(self.port, self.key, "everything__echo", "hello")
        receipts: list[Receipt] = []

        async def lane() -> None:
            caller = (await loop.create_connection(load.Caller, "127.0.0.1", self.port))[1]
            while True:
                try:
                    answer = await caller.call(message)
                except ConnectionError:
                    return
                receipts.append(jsonrpc.decode(answer)["result"]["_meta"][RECEIPT])

        loop.call_later(seconds, kill)
        async with asyncio.timeout(seconds + 30):
            await asyncio.gather(*(lane() for _ in range(WIDTH)))
        return receipts


def faults(ledger: Path, receipts: list[Receipt]) -> list[str]:
    """What is not as the answers said."""
    found = [damage for report in verify(ledger) for damage in report.damage]
    lines = {(line["log"], line["index"]): line for line in reader.entries(ledger)}
    places = {(receipt["log"], receipt["index"]) for receipt in receipts}
    if len(places) != len(receipts):
        found.append("a place in a log was given twice")
    for receipt in receipts:
        outcome = lines.get((receipt["log"], receipt["index"]))
        if outcome is None or outcome["kind"] != "outcome" or outcome["call"] != receipt["call"]:
            found.append(f"the outcome of {receipt} is not there")
            continue
        intent = lines.get((receipt["log"], outcome.get("intent", -1)))
        if intent is None or intent["kind"] != "intent" or intent["call"] != receipt["call"]:
            found.append(f"the intent of {receipt} is not there")
    return found


def run(kills: int, durability: str, folder: Path) -> None:
    upstream = free_port()
    command = [sys.executable, "-m", "tests.bench.echo_upstream", str(upstream)]
    with started(command, folder / "upstream.log"):
        until_open(upstream)
        gateway = Gateway(folder, durability, upstream)
        receipts: list[Receipt] = []
        for _ in range(kills):
            receipts += gateway.killed(random.uniform(0.2, 1.0))
        ledger = gateway.data / "ledger"
        if wrong := faults(ledger, receipts):
            raise SystemExit(f"{len(wrong)} faults: {wrong[:5]}")
        abandoned = sum(line["kind"] == "abandoned" for line in reader.entries(ledger))
    print(
        f"{durability}: {kills} kills of a whole gateway: {len(receipts)} answered calls, "
        f"none lost; {abandoned} in flight"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.kill9_gateway")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--durability", default="flushed", choices=("flushed", "written"))
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="kill9-"))
    try:
        run(asked.kills, asked.durability, folder)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
