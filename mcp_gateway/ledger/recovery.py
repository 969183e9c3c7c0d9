"""Recovery: ends the log of a process that is gone, and refuses to when it was tampered with."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mcp_gateway.ledger import files, merkle
from mcp_gateway.ledger.frame import Framed
from mcp_gateway.ledger.note import Checkpoint, NoteError, notes, opened, signed, verifier_line
from mcp_gateway.wire import jsonrpc

ADVICE: Final = "run `mcp-gateway verify` and keep the folder as evidence"


class LedgerDamagedError(Exception):
    """A log is shorter than what was signed of it, or otherwise not what it says."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What an unclean end left: the calls that were in flight."""

    origin: str
    size: int
    in_flight: Sequence[tuple[int, str]]


@dataclass(slots=True)
class _Scan:
    """A log as its files have it, up to the first place that is not sound."""

    leaves: list[bytes] = field(default_factory=list)
    roots: dict[int, bytes] = field(default_factory=dict)
    frontier: merkle.Frontier = field(default_factory=merkle.Frontier)
    in_flight: dict[str, int] = field(default_factory=dict)
    torn: tuple[Path, Framed] | None = None


def recover(log: Path, key: Ed25519PrivateKey) -> Recovered | None:
    """Cuts the torn tail, signs what is there, and marks the log as ended.

    None when there is nothing to end: a log that ended, is in use, or never began. Raises
    LedgerDamagedError, before anything is changed.
    """
    if (log / files.END).exists():
        return None
    lock = files.lock(log / files.LOCK)
    if lock is None:
        return None
    try:
        return _ended(log, key)
    finally:
        os.close(lock)


def _ended(log: Path, key: Ed25519PrivateKey) -> Recovered | None:
    verifier = files.read_text(log / files.PUBLIC_KEY).strip()
    if not verifier:
        if any(files.read_frames(log)):
            raise LedgerDamagedError(f"{log} has entries and no {files.PUBLIC_KEY}; {ADVICE}")
        return None
    history = _signed(log, verifier)
    scan = _scanned(log, {checkpoint.size for checkpoint in history.values()})
    _check(log, scan, history)
    if scan.torn:
        _cut(*scan.torn)
    origin = verifier.partition("+")[0]
    end = _sign(log, Checkpoint(origin, scan.frontier.size, scan.frontier.root()), history, key)
    (log / files.HASHES).write_bytes(b"".join(scan.leaves))
    files.write_whole(log / files.END, f"{end}\n")
    flying = [(index, call) for call, index in scan.in_flight.items()]
    return Recovered(origin, scan.frontier.size, flying)


def _signed(log: Path, verifier: str) -> dict[str, Checkpoint]:
    """The checkpoints by their notes, the oldest first."""
    found = notes(files.read_text(log / files.CHECKPOINTS))
    if latest := files.read_text(log / files.CHECKPOINT):
        found.append(latest)
    try:
        return {note: opened(note, verifier) for note in found}
    except NoteError as error:
        raise LedgerDamagedError(f"{log}: {error}; {ADVICE}") from None


def _scanned(log: Path, sizes: set[int]) -> _Scan:
    scan = _Scan()
    for path, found in files.read_frames(log):
        if not found.sound:
            scan.torn = path, found
            break
        leaf = merkle.leaf_hash(found.payload)
        scan.frontier.append(leaf)
        scan.leaves.append(leaf)
        if scan.frontier.size in sizes:
            scan.roots[scan.frontier.size] = scan.frontier.root()
        _note_call(scan, found.payload)
    return scan


def _note_call(scan: _Scan, payload: bytes) -> None:
    entry = jsonrpc.decode(payload)
    if entry["kind"] == "intent":
        scan.in_flight[entry["call"]] = entry["index"]
    elif entry["kind"] == "outcome":
        scan.in_flight.pop(entry["call"], None)


def _check(log: Path, scan: _Scan, history: dict[str, Checkpoint]) -> None:
    """What is missing or other than it was signed is an alarm, and nothing to repair."""
    size = scan.frontier.size
    for checkpoint in history.values():
        if size < checkpoint.size:
            raise LedgerDamagedError(
                f"{log} has {size} entries, but a checkpoint was signed over "
                f"{checkpoint.size}; {ADVICE}"
            )
        if checkpoint.size and scan.roots[checkpoint.size] != checkpoint.root:
            raise LedgerDamagedError(
                f"{log} is not what was signed at {checkpoint.size} entries; {ADVICE}"
            )
    known = files.read_hashes(log)
    if size < len(known):
        raise LedgerDamagedError(
            f"{log} has {size} entries, but {len(known)} were on disk; {ADVICE}"
        )


def _cut(segment: Path, torn: Framed) -> None:
    with segment.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(torn.offset)
        file.write(bytes(size - torn.offset))
        file.flush()
        os.fsync(file.fileno())


def _sign(
    log: Path, last: Checkpoint, history: dict[str, Checkpoint], key: Ed25519PrivateKey
) -> str:
    """The end mark. A log of another key than today's keeps its last checkpoint."""
    if verifier_line(last.origin, key) != files.read_text(log / files.PUBLIC_KEY).strip():
        return f"unsigned {last.size}"
    note = signed(last, key)
    kept = [*history, *([] if note in history else [note])]
    files.write_whole(log / files.CHECKPOINTS, "".join(f"{known}\n" for known in kept))
    files.write_whole(log / files.CHECKPOINT, note)
    return f"recovered {last.size}"
