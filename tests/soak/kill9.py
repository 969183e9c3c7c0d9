"""`kill -9` under load: no acknowledged call without its two entries.

python -m tests.soak.kill9 --kills 50
"""

import argparse
import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mcp_gateway.core.entry import Entry
from mcp_gateway.ledger import reader
from mcp_gateway.ledger.append import Log
from mcp_gateway.ledger.commitment import Commitments
from mcp_gateway.ledger.folder import open_log
from mcp_gateway.ledger.verify import verify

WIDTH = 64
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


async def opened(ledger: Path) -> Log:
    durability = os.environ.get("KILL9_DURABILITY", "flushed")
    return await open_log(ledger, "soak", KEY, Commitments(b"k" * 32), durability)  # type: ignore[arg-type]


async def load(ledger: Path) -> None:
    """Calls without end, each acknowledged on standard output once its outcome is recorded."""
    log = await opened(ledger)
    run = os.getpid()

    async def calls(lane: int) -> None:
        number = 0
        while True:
            call = f"{run}-{lane}-{number}"
            number += 1
            params = b'{"name":"echo","arguments":{"text":"hello"}}'
            intent = await log.append(Entry("intent", call, "a", {"x": 1}, {"params": params}))
            body = {"intent": intent.index, "outcome": "ok"}
            await log.append(Entry("outcome", call, "a", body, {"result": b"{}"}))
            os.write(1, f"{call}\n".encode())
            await asyncio.sleep(0)  # with `written` nothing above ever waits

    async def checkpoints() -> None:
        while True:
            await asyncio.sleep(0.1)
            await asyncio.to_thread(log.checkpoint)

    async with asyncio.TaskGroup() as group:
        group.create_task(checkpoints())
        for lane in range(WIDTH):
            group.create_task(calls(lane))


def killed(ledger: Path, seconds: float) -> set[str]:
    """The calls that one process acknowledged before it was killed."""
    command = [sys.executable, "-m", "tests.soak.kill9", "--load", str(ledger)]
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, stdout=out)
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
        out.seek(0)
        whole, _, _ = out.read().decode().rpartition("\n")
        return set(whole.split())


async def recovered(ledger: Path) -> None:
    await (await opened(ledger)).aclose()


def missing(ledger: Path, acknowledged: set[str]) -> list[str]:
    """The acknowledged calls of which an entry is not there."""
    kinds: dict[str, set[str]] = defaultdict(set)
    for line in reader.entries(ledger):
        kinds[line.get("call", "")].add(line["kind"])
    return sorted(c for c in acknowledged if not {"intent", "outcome"} <= kinds[c])


def rounds(kills: int) -> tuple[int, int]:
    """(calls acknowledged, calls in flight at a kill). Raises SystemExit when one is lost."""
    folder = Path(tempfile.mkdtemp(prefix="kill9-"))
    acknowledged: set[str] = set()
    try:
        for _ in range(kills):
            acknowledged |= killed(folder / "ledger", random.uniform(0.8, 1.6))
            uvloop.run(recovered(folder / "ledger"))
        if lost := missing(folder / "ledger", acknowledged):
            raise SystemExit(f"{len(lost)} acknowledged calls are not recorded: {lost[:5]}")
        if damage := [d for r in verify(folder / "ledger") for d in r.damage]:
            raise SystemExit(f"the ledger does not verify: {damage[:5]}")
        lines = reader.entries(folder / "ledger")
        return len(acknowledged), sum(line["kind"] == "abandoned" for line in lines)
    finally:
        shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--load", type=Path)
    asked = parser.parse_args()
    if asked.load:
        uvloop.run(load(asked.load))
        return
    count, abandoned = rounds(asked.kills)
    print(f"{asked.kills} kills: {count} acknowledged calls, none lost; {abandoned} in flight")


if __name__ == "__main__":
    main()
