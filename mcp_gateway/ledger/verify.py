"""Checks a ledger offline: with its files and the public keys, and nothing else."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mcp_gateway.ledger import files, merkle
from mcp_gateway.ledger.frame import Framed
from mcp_gateway.ledger.note import Checkpoint, NoteError, notes, opened
from mcp_gateway.wire import jsonrpc

CANNOT_KNOW: Final = (
    "entries after the last checkpoint that somebody else keeps could have been cut off unseen",
    "whoever holds the signing key could have rewritten it all: compare checkpoints kept elsewhere",
)


@dataclass(frozen=True, slots=True)
class Witnessed:
    """What a later log holds of an earlier one: its root, in hexadecimal, at a size."""

    origin: str
    size: int
    root: str
    by: str


@dataclass(slots=True)
class Report:
    """What was found in one log. It is intact when `damage` is empty."""

    log: str
    origin: str = ""
    entries: int = 0
    checkpoints: int = 0
    signed: int = 0
    unrooted: int = 0
    damage: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def verify(ledger: Path, keys: Mapping[str, str] | None = None) -> list[Report]:
    """A report for each log. `keys` (origin to verifier line) replaces the ones beside the logs.

    Raises FileNotFoundError when there is no log.
    """
    found = files.logs(ledger)
    if not found:
        raise FileNotFoundError(f"{ledger} holds no log")
    witnessed = [mark for path in found for mark in _witnessed(path)]
    reports = [_log(path, keys, witnessed) for path in found]
    _unseen(found, witnessed, reports)
    numbers = [int(path.name.partition("-")[2]) for path in found]
    for missing in sorted(set(range(1, numbers[-1])) - set(numbers)):
        reports[-1].damage.append(f"log-{missing:06} is missing")
    return reports


def _log(path: Path, keys: Mapping[str, str] | None, witnessed: Sequence[Witnessed]) -> Report:
    report = Report(path.name)
    verifier = _verifier(path, keys, report)
    if verifier:
        report.origin = verifier.partition("+")[0]
        marks = [mark for mark in witnessed if mark.origin == report.origin]
        _entries(path, _checkpoints(path, verifier, report), marks, report)
    _ending(path, report)
    return report


def _witnessed(path: Path) -> Iterator[Witnessed]:
    """What the first entry of a log says of the logs before it; what is malformed says nothing.

    Nobody can hide anything so: an entry that was changed is found for itself.
    """
    _, first = next(files.read_frames(path), (path, None))
    marks = _decoded(first).get("witnessed") if first else None
    for mark in marks if isinstance(marks, list) else ():
        match mark:
            case {"log": str(origin), "size": int(size), "root": str(root)}:
                yield Witnessed(origin, size, root, path.name)


def _unseen(
    found: Sequence[Path], witnessed: Sequence[Witnessed], reports: Sequence[Report]
) -> None:
    """A log that another one witnessed, and that is not there any more."""
    beside = {files.read_text(path / files.PUBLIC_KEY).partition("+")[0] for path in found}
    for report in reports:
        gone = {mark.origin for mark in witnessed if mark.by == report.log} - beside
        report.damage.extend(
            f"{report.log}: it witnessed {o}, which is missing" for o in sorted(gone)
        )


def _verifier(path: Path, keys: Mapping[str, str] | None, report: Report) -> str:
    """The key to check with: the one beside the log, or, once any is given, only a given one."""
    file = path / files.PUBLIC_KEY
    if not file.exists():
        begun = next(files.read_frames(path), None) is not None
        told = report.damage if begun else report.notes
        told.append(f"{path.name}: there is no {file.name}" + ("" if begun else ", and no entry"))
        return ""
    beside = file.read_text("utf-8").strip()
    origin = beside.partition("+")[0]
    if keys is None:
        return beside
    if origin not in keys:
        report.damage.append(f"{path.name}: no key was given for the origin {origin}")
        return ""
    if keys[origin] != beside:
        report.notes.append("checked with the key given, which is not the one beside the log")
    return keys[origin]


def _checkpoints(path: Path, verifier: str, report: Report) -> dict[int, Checkpoint]:
    """The checkpoints by size; those that no key signed are damage."""
    found: dict[int, Checkpoint] = {}
    history = path / files.CHECKPOINTS
    pairs = notes(history.read_text("utf-8")) if history.exists() else []
    latest = path / files.CHECKPOINT
    pairs += [latest.read_text("utf-8")] if latest.exists() else []
    for number, note in enumerate(pairs, start=1):
        try:
            checkpoint = opened(note, verifier)
        except (NoteError, ValueError) as error:
            report.damage.append(f"{path.name}: checkpoint {number}: {error}")
            continue
        earlier = found.setdefault(checkpoint.size, checkpoint)
        if earlier.root != checkpoint.root:
            report.damage.append(f"{path.name}: two roots were signed at size {checkpoint.size}")
    report.checkpoints = len(found)
    report.signed = max(found, default=0)
    return found


def _entries(
    path: Path,
    checkpoints: Mapping[int, Checkpoint],
    witnessed: Sequence[Witnessed],
    report: Report,
) -> None:
    hashes = _hashes(path)
    frontier = merkle.Frontier()
    intents: dict[str, int] = {}
    for segment, found in files.read_frames(path):
        place = frontier.size
        name = _name(path, segment, found, place)
        known = max(report.signed, len(hashes))
        if not found.sound and place >= known and not (path / files.END).exists():
            report.notes.append(f"{name} is half written: its writer is at work, or was killed")
            break
        leaf = merkle.leaf_hash(found.payload)
        kept = hashes[place] if place < len(hashes) else leaf
        report.damage.extend(
            f"{name} {fault}" for fault in _faults(found, place, leaf == kept, report.origin)
        )
        report.damage.extend(f"{name} {fault}" for fault in _order(found, intents))
        frontier.append(leaf)
        _root(path, checkpoints, frontier, report)
        _same(path, witnessed, frontier, report)
    report.entries = frontier.size
    if report.unrooted > 1:
        report.damage.append(f"{path.name}: so have {report.unrooted - 1} checkpoints after it")
    if frontier.size < report.signed:
        missing = f"entries {frontier.size} to {report.signed - 1}"
        report.damage.append(f"{path.name}: {missing} are missing: they were signed")
    report.damage.extend(
        f"{path.name}: {mark.by} witnessed {mark.size} entries of it, {frontier.size} are there"
        for mark in witnessed
        if mark.size > frontier.size
    )


def _hashes(path: Path) -> list[bytes]:
    """The leaf hashes kept beside the entries: they say which entry a root misses."""
    file = path / files.HASHES
    raw = file.read_bytes() if file.exists() else b""
    return [raw[at : at + merkle.HASH_SIZE] for at in range(0, len(raw), merkle.HASH_SIZE)]


def _decoded(found: Framed) -> dict[str, Any]:
    """The entry, or an empty one where it cannot be read."""
    try:
        entry = jsonrpc.decode(found.payload)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


def _faults(found: Framed, place: int, unchanged: bool, origin: str) -> Iterator[str]:  # noqa: FBT001
    entry = _decoded(found)
    if not found.sound or not unchanged:
        yield "was changed"
    elif not {"index", "kind", "log", "time"} <= set(entry):
        yield "cannot be read"
    elif entry["log"] != origin:
        yield f"is of another log, {entry['log']}"
    elif entry["index"] != place:
        yield f"says that it is entry {entry['index']}: entries are missing or out of order"


def _order(found: Framed, intents: dict[str, int]) -> Iterator[str]:
    """An outcome that names an intent comes after it."""
    entry = _decoded(found)
    call = str(entry.get("call", ""))
    if entry.get("kind") == "intent":
        intents[call] = entry.get("index", -1)
        return
    wanted = entry.get("intent") if entry.get("kind") == "outcome" else None
    if wanted is not None and intents.pop(call, None) != wanted:
        yield f"is an outcome whose intent {wanted} is missing"


def _root(
    path: Path, checkpoints: Mapping[int, Checkpoint], frontier: merkle.Frontier, report: Report
) -> None:
    """After a change every later checkpoint differs too: the first is named, the rest counted."""
    signed = checkpoints.get(frontier.size)
    if signed is None or signed.root == frontier.root():
        return
    report.unrooted += 1
    if report.unrooted == 1:
        report.damage.append(f"{path.name}: the checkpoint at size {signed.size} has another root")


def _same(
    path: Path, witnessed: Sequence[Witnessed], frontier: merkle.Frontier, report: Report
) -> None:
    """Whoever holds the key can sign another past, and not what a later log says of it."""
    report.damage.extend(
        f"{path.name}: {mark.by} witnessed another root at size {mark.size}"
        for mark in witnessed
        if mark.size == frontier.size and mark.root != frontier.root().hex()
    )


def _name(path: Path, segment: Path, found: Framed, place: int) -> str:
    """Which entry, where it lies, and whose it is when that can still be read."""
    entry = _decoded(found)
    whose = f", {entry.get('kind', '?')} of call {entry['call']}" if "call" in entry else ""
    return f"{path.name}: entry {place} ({segment.name} at byte {found.offset}{whose})"


def _ending(path: Path, report: Report) -> None:
    end = path / files.END
    if not end.exists():
        report.notes.append("the log is open, or its process ended without closing it")
    unsigned = report.entries - report.signed
    if unsigned > 0 and files.read_text(end).startswith("unsigned"):
        report.notes.append(f"{unsigned} entries were recovered under another key, unsigned")
    elif unsigned > 0 and end.exists():
        report.damage.append(f"{path.name}: it was closed with {unsigned} entries never signed")
    elif unsigned > 0:
        report.notes.append(f"{unsigned} entries are not under a checkpoint yet")
