"""Logs for tests: opened, written to, left as a dead process leaves them, and tampered with."""

import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mcp_gateway.core.entry import Entry
from mcp_gateway.ledger import files
from mcp_gateway.ledger.append import Durability, Log
from mcp_gateway.ledger.commitment import Commitments
from mcp_gateway.ledger.folder import open_log
from mcp_gateway.ledger.verify import verify

KEY: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SECRET: Final = b"k" * 32
BOTH: Final[tuple[Durability, ...]] = ("flushed", "written")


async def opened(ledger: Path, durability: Durability = "flushed") -> Log:
    return await open_log(ledger, "test", KEY, Commitments(SECRET), durability)


async def called(log: Log, call: str, outcome: str = "ok") -> None:
    """One call, with its two entries."""
    intent = await log.append(Entry("intent", call, "local|alice", {"method": "tools/call"}))
    body = {"intent": intent.index, "outcome": outcome, "method": "tools/call"}
    await log.append(Entry("outcome", call, "local|alice", body))


def left_behind(log: Log, ledger: Path) -> Path:
    """The folder of a log as it is at this moment: what a killed process would leave."""
    dead = ledger / log.folder.name
    shutil.copytree(log.folder, dead)
    return dead


def damage(ledger: Path) -> str:
    return "\n".join(line for report in verify(ledger) for line in report.damage)


def notes(ledger: Path) -> str:
    return "\n".join(line for report in verify(ledger) for line in report.notes)


def edited(path: Path, change: Callable[[bytearray], object]) -> None:
    content = bytearray(path.read_bytes())
    change(content)
    path.write_bytes(content)


def last_end(log: Path) -> int:
    """Where the next frame of the first segment would begin."""
    end = max(found.offset + 8 + len(found.payload) for _, found in files.read_frames(log))
    return end + (-end % 8)


@contextmanager
def a_disk_that_takes_no_more() -> Iterator[None]:
    """Every write of this process fails, as the system itself makes it fail."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
