"""The ledger's folder: opening the log of this process, and recovering those of the dead."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mcp_gateway.core.entry import Entry
from mcp_gateway.ledger import files
from mcp_gateway.ledger.append import Durability, Log
from mcp_gateway.ledger.commitment import Commitments
from mcp_gateway.ledger.note import NoteError, opened
from mcp_gateway.ledger.recovery import LedgerDamagedError, Recovered, recover

__all__ = ["LedgerDamagedError", "Recovered", "open_log"]

MOST_LOGS: Final = 999_999
WITNESSED: Final = 16
"""How many earlier logs a new one remembers."""
PATIENCE: Final = 30.0
"""Seconds to wait for another process that is opening its log."""


async def open_log(
    ledger: Path,
    origin: str,
    key: Ed25519PrivateKey,
    commitments: Commitments,
    durability: Durability = "flushed",
) -> Log:
    """Begins a new log, after recovering every one that ended without a close.

    `origin` names the installation; the log's own origin adds its number. The first entry holds
    the newest checkpoints of the logs before it: what is cut off them later shows. Raises
    LedgerDamagedError, and OSError when the folder cannot be written.
    """
    with _alone(ledger):
        recovered = [found for path in files.logs(ledger) if (found := recover(path, key))]
        witnessed = _witnessed(ledger)
        folder, lock = _begin(ledger)
        number = folder.name.partition("-")[2]
        log = Log(folder, f"{origin}/{number}", key, commitments, durability=durability, lock=lock)
    await _open(log, recovered, witnessed)
    return log


async def _open(log: Log, recovered: Sequence[Recovered], witnessed: Sequence[Any]) -> None:
    origins = [found.origin for found in recovered]
    await log.append(Entry("opened", body={"recovered": origins, "witnessed": witnessed}))
    for found in recovered:
        for index, call in found.in_flight:
            body = {"of_log": found.origin, "intent": index}
            await log.append(Entry("abandoned", call=call, body=body))


@contextmanager
def _alone(ledger: Path) -> Iterator[None]:
    """One process at a time: none takes a log that another has only just made for a dead one."""
    ledger.mkdir(mode=0o700, parents=True, exist_ok=True)
    deadline = time.monotonic() + PATIENCE
    while (lock := files.lock(ledger / files.LOCK)) is None:
        if time.monotonic() > deadline:
            raise OSError(f"another process has been opening {ledger} for {PATIENCE:.0f} s")
        time.sleep(0.05)
    try:
        yield
    finally:
        os.close(lock)


def _witnessed(ledger: Path) -> list[dict[str, Any]]:
    """The newest checkpoint of each of the latest logs. Raises LedgerDamagedError."""
    found = []
    for log in files.logs(ledger)[-WITNESSED:]:
        note = files.read_text(log / files.CHECKPOINT)
        if not note:
            continue
        try:
            last = opened(note, files.read_text(log / files.PUBLIC_KEY))
        except NoteError as error:
            raise LedgerDamagedError(f"{log}: {error}") from None
        found.append({"log": last.origin, "size": last.size, "root": last.root.hex()})
    return found


def _begin(ledger: Path) -> tuple[Path, int]:
    last = max((int(path.name.partition("-")[2]) for path in files.logs(ledger)), default=0)
    if last >= MOST_LOGS:
        raise LedgerDamagedError(f"{ledger} has no number left for another log")
    folder = ledger / f"log-{last + 1:06}"
    folder.mkdir(mode=0o700)
    files.sync_folder(ledger)
    lock = files.lock(folder / files.LOCK)
    if lock is None:
        raise LedgerDamagedError(f"{folder} is held by another process already")
    return folder, lock
