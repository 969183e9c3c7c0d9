"""What else can be done to a ledger, by who holds its key too, and what is said of it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mcp_gateway.core.entry import Entry
from mcp_gateway.ledger import files, merkle
from mcp_gateway.ledger.frame import frame
from mcp_gateway.ledger.note import Checkpoint, signed, verifier_line
from mcp_gateway.ledger.verify import CANNOT_KNOW, verify
from tests.mcp_gateway.ledger.logs import KEY, called, damage, edited, left_behind, notes, opened

Change = Callable[[list[dict[str, Any]]], object]


@pytest.fixture
async def ledger(tmp_path: Path) -> Path:
    """Three calls, closed: opened, six entries, closed."""
    log = await opened(tmp_path)
    for number in range(3):
        await called(log, f"c-{number}")
    await log.aclose()
    return tmp_path


def forged(ledger: Path, change: Change) -> None:
    """Entries written anew and signed with the log's own key, as who holds that key can."""
    folder = files.logs(ledger)[0]
    entries = [json.loads(found.payload) for _, found in files.read_frames(folder)]
    change(entries)
    payloads = [entry if isinstance(entry, bytes) else encoded(entry) for entry in entries]
    files.segment_path(folder, 0).write_bytes(b"".join(map(frame, payloads)))
    leaves = [merkle.leaf_hash(payload) for payload in payloads]
    (folder / files.HASHES).write_bytes(b"".join(leaves))
    note = signed(Checkpoint("test/000001", len(leaves), merkle.root_of(leaves)), KEY)
    (folder / files.CHECKPOINT).write_text(note, "utf-8")
    (folder / files.CHECKPOINTS).write_text(note + "\n", "utf-8")


def encoded(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry, separators=(",", ":"), sort_keys=True).encode()


@pytest.mark.requirement("ledger:damage-is-named")
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda e: e[3].update(index=9), "says that it is entry 9"),
        (lambda e: e.__setitem__(slice(3, 5), [e[4], e[3]]), "says that it is entry 4"),
        (lambda e: e.pop(4), "says that it is entry 5"),
        (lambda e: e[3].update(log="other/000001"), "is of another log, other/000001"),
        (lambda e: e[3].pop("time"), "cannot be read"),
        (lambda e: e.__setitem__(3, b"[1]"), "cannot be read"),
        (lambda e: e.__setitem__(3, b"\xff"), "cannot be read"),
        (lambda e: e[4].update(intent=1), "is an outcome whose intent 1 is missing"),
        (lambda e: e[1].update(call="x"), "is an outcome whose intent 1 is missing"),
    ],
    ids=["index", "order", "gap", "log", "time", "list", "bytes", "intent", "call"],
)
async def test_what_was_written_anew_and_does_not_hold_together_is_named(
    ledger: Path, change: Change, said: str
) -> None:
    forged(ledger, change)

    assert said in damage(ledger)


async def test_a_ledger_that_was_rewritten_whole_with_its_key_passes_and_that_is_said(
    ledger: Path,
) -> None:
    """The limit of it: only a checkpoint kept elsewhere shows this."""
    kept = files.read_text(files.logs(ledger)[0] / files.CHECKPOINT)
    forged(ledger, lambda entries: entries[1].update(subject="local|mallory"))

    assert damage(ledger) == ""
    assert kept not in files.read_text(files.logs(ledger)[0] / files.CHECKPOINTS)
    assert any("whoever holds the signing key" in limit for limit in CANNOT_KNOW)


@pytest.mark.requirement("ledger:damage-is-named")
async def test_two_roots_at_one_size_are_named(ledger: Path) -> None:
    other = signed(Checkpoint("test/000001", 8, bytes(32)), KEY)
    files.append_text(files.logs(ledger)[0] / files.CHECKPOINTS, other + "\n")

    assert "two roots were signed at size 8" in damage(ledger)


@pytest.mark.requirement("ledger:damage-is-named")
async def test_a_checkpoint_that_the_key_did_not_sign_is_named(ledger: Path) -> None:
    other = signed(Checkpoint("test/000001", 3, bytes(32)), Ed25519PrivateKey.generate())
    history = files.logs(ledger)[0] / files.CHECKPOINTS
    history.write_text(f"{other}\n{history.read_text('utf-8')}", "utf-8")

    assert "checkpoint 1: no line of the checkpoint is signed" in damage(ledger)


@pytest.mark.requirement("ledger:damage-is-named")
async def test_hashes_that_do_not_fit_the_entries_name_the_first_of_them(ledger: Path) -> None:
    edited(files.logs(ledger)[0] / files.HASHES, lambda c: c.__setitem__(32 * 5, c[32 * 5] ^ 1))

    assert "entry 5 (segment-000000.log" in damage(ledger)


async def test_a_key_that_was_given_counts_instead_of_the_one_beside_the_log(ledger: Path) -> None:
    mine = verifier_line("test/000001", KEY)
    assert verify(ledger, {"test/000001": mine})[0].damage == []
    assert verify(ledger, {"test/000001": mine})[0].notes == []

    other = verifier_line("test/000001", Ed25519PrivateKey.generate())
    (report,) = verify(ledger, {"test/000001": other})
    assert "checked with the key given" in report.notes[0]
    assert any("no line of the checkpoint is signed" in line for line in report.damage)


async def test_a_log_whose_key_is_gone_is_damaged_if_it_has_entries(ledger: Path) -> None:
    (files.logs(ledger)[0] / files.PUBLIC_KEY).unlink()

    assert "there is no log.pub" in damage(ledger)


def test_a_log_that_never_began_is_a_note(tmp_path: Path) -> None:
    (tmp_path / "log-000001").mkdir()

    assert damage(tmp_path) == ""
    assert "there is no log.pub, and no entry" in notes(tmp_path)


def test_where_there_is_no_log_there_is_nothing_to_verify(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no log"):
        verify(tmp_path)


async def test_an_open_log_says_what_is_not_under_a_checkpoint_yet(tmp_path: Path) -> None:
    log = await opened(tmp_path / "live")
    log.checkpoint()
    await called(log, "c-1")
    left_behind(log, tmp_path / "seen")
    await log.aclose()

    assert damage(tmp_path / "seen") == ""
    assert "2 entries are not under a checkpoint yet" in notes(tmp_path / "seen")
    assert "the log is open" in notes(tmp_path / "seen")


async def test_an_entry_that_belongs_to_no_call_is_named_by_its_place(tmp_path: Path) -> None:
    log = await opened(tmp_path)
    await log.append(Entry("spawn", body={"server": "orders"}))
    await log.aclose()
    place = files.segment_path(log.folder, 0).read_bytes().index(b"orders")
    edited(files.segment_path(log.folder, 0), lambda c: c.__setitem__(place, ord("O")))

    assert "entry 1 (segment-000000.log at byte" in damage(tmp_path)
    assert "of call" not in damage(tmp_path).splitlines()[0]


@pytest.mark.requirement("ledger:damage-is-named")
@pytest.mark.parametrize("bit", range(8))
async def test_wherever_a_bit_is_flipped_under_a_checkpoint_it_is_found(
    ledger: Path, tmp_path: Path, bit: int
) -> None:
    segment = files.segment_path(files.logs(ledger)[0], 0)
    whole = segment.read_bytes()
    payloads = [
        place
        for _, found in files.read_frames(files.logs(ledger)[0])
        for place in range(found.offset, found.offset + 8 + len(found.payload))
    ]
    for place in payloads[bit::41]:
        edited(segment, lambda c, at=place: c.__setitem__(at, c[at] ^ 1 << bit))  # type: ignore[misc]
        assert damage(ledger), f"byte {place}"
        segment.write_bytes(whole)
    assert damage(ledger) == ""


async def test_a_log_that_was_put_under_another_number_is_of_another_log(
    ledger: Path, tmp_path: Path
) -> None:
    shutil.copytree(files.logs(ledger)[0], tmp_path / "log-000002")
    (tmp_path / "log-000002" / files.PUBLIC_KEY).write_text(
        verifier_line("test/000002", KEY) + "\n", "utf-8"
    )

    assert "is of another log, test/000001" in damage(ledger)
