"""The ledger's folder: opening the log of this process, and recovering those of the dead."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mcp_gateway.core.entry import Entry
from mcp_gateway.ledger import files, merkle
from mcp_gateway.ledger.append import Durability, Log
from mcp_gateway.ledger.commitment import Commitments
from mcp_gateway.ledger.note import Checkpoint, opened, signed
from mcp_gateway.wire import jsonrpc

MOST_LOGS: Final = 999_999


class LedgerDamagedError(Exception):
    """A log is shorter than what was signed of it, or otherwise not what it says."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What an unclean end left: the calls that were in flight."""

    origin: str
    size: int
    in_flight: Sequence[tuple[int, str]]


async def open_log(
    ledger: Path,
    origin: str,
    key: Ed25519PrivateKey,
    commitments: Commitments,
    durability: Durability = "flushed",
) -> Log:
    """Begins a new log, after recovering every one that ended without a close.

    `origin` names the installation; the log's own origin adds its number. Raises
    LedgerDamagedError, and OSError when the folder cannot be written.
    """
    recovered, folder = _prepare(ledger, key)
    number = folder.name.partition("-")[2]
    log = Log(folder, f"{origin}/{number}", key, commitments, durability=durability)
    await log.append(Entry("opened", body={"recovered": [f.origin for f in recovered]}))
    for found in recovered:
        for index, call in found.in_flight:
            body = {"of_log": found.origin, "intent": index}
            await log.append(Entry("abandoned", call=call, body=body))
    return log


def _prepare(ledger: Path, key: Ed25519PrivateKey) -> tuple[list[Recovered], Path]:
    ledger.mkdir(mode=0o700, parents=True, exist_ok=True)
    recovered = [found for path in files.logs(ledger) if (found := _recover(path, key))]
    return recovered, _begin(ledger)


def _begin(ledger: Path) -> Path:
    last = max((int(path.name.partition("-")[2]) for path in files.logs(ledger)), default=0)
    for number in range(last + 1, MOST_LOGS):
        folder = ledger / f"log-{number:06}"
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            continue
        if files.lock(folder) is None:
            continue
        return folder
    raise LedgerDamagedError(f"{ledger} has no number left for another log")


def _recover(folder: Path, key: Ed25519PrivateKey) -> Recovered | None:
    """Ends a log whose process is gone: cuts the torn tail, and signs what is there."""
    if (folder / files.END).exists():
        return None
    lock = files.lock(folder)
    if lock is None:
        return None
    try:
        return _ended(folder, key)
    finally:
        os.close(lock)


def _ended(folder: Path, key: Ed25519PrivateKey) -> Recovered | None:
    if not (folder / files.PUBLIC_KEY).exists():
        return None
    frontier, leaves = merkle.Frontier(), []
    in_flight: dict[str, int] = {}
    for path, found in files.read_frames(folder):
        if not found.sound:
            _cut(path, found.offset)
            break
        leaf = merkle.leaf_hash(found.payload)
        frontier.append(leaf)
        leaves.append(leaf)
        _note_call(in_flight, jsonrpc.decode(found.payload))
    origin = (folder / files.PUBLIC_KEY).read_text("utf-8").partition("+")[0]
    _against_checkpoint(folder, frontier.size)
    (folder / files.HASHES).write_bytes(b"".join(leaves))
    note = signed(Checkpoint(origin, frontier.size, frontier.root()), key)
    with (folder / files.CHECKPOINTS).open("a", encoding="utf-8") as file:
        file.write(note + "\n")
    files.write_whole(folder / files.CHECKPOINT, note)
    files.write_whole(folder / files.END, f"recovered {frontier.size}\n")
    return Recovered(origin, frontier.size, [(i, call) for call, i in in_flight.items()])


def _note_call(in_flight: dict[str, int], entry: dict[str, Any]) -> None:
    if entry["kind"] == "intent":
        in_flight[entry["call"]] = entry["index"]
    elif entry["kind"] == "outcome":
        in_flight.pop(entry["call"], None)


def _cut(segment: Path, offset: int) -> None:
    with segment.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(offset)
        file.write(bytes(size - offset))


def _against_checkpoint(folder: Path, size: int) -> None:
    """A log that is shorter than its last checkpoint has lost entries: an alarm, no repair."""
    path = folder / files.CHECKPOINT
    if not path.exists():
        return
    last = opened(path.read_text("utf-8"), (folder / files.PUBLIC_KEY).read_text("utf-8"))
    if size < last.size:
        raise LedgerDamagedError(
            f"{folder} has {size} entries, but its last checkpoint was signed over {last.size}; "
            "run `mcp-gateway verify` and keep the folder as evidence"
        )
