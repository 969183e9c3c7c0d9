"""What a dead process left is ended truthfully, or not at all."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mcp_gateway.core.entry import Entry
from mcp_gateway.ledger import files, reader
from mcp_gateway.ledger.recovery import LedgerDamagedError, recover
from tests.mcp_gateway.ledger.logs import KEY, called, damage, edited, last_end, left_behind, opened


@pytest.fixture
async def dead(tmp_path: Path) -> Path:
    """A log that was killed: two calls under a checkpoint, one after it, one in flight."""
    log = await opened(tmp_path / "live")
    await called(log, "c-1")
    await called(log, "c-2")
    log.checkpoint()
    await called(log, "c-3")
    await log.append(Entry("intent", "c-4"))
    folder = left_behind(log, tmp_path / "dead")
    await log.aclose()
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.requirement("ledger:recovery")
async def test_a_dead_log_is_signed_to_its_end_and_says_what_was_in_flight(dead: Path) -> None:
    found = recover(dead, KEY)

    assert found is not None
    assert (found.origin, found.size) == ("test/000001", 8)
    assert list(found.in_flight) == [(7, "c-4")]
    assert files.read_text(dead / files.END) == "recovered 8\n"
    assert damage(dead.parent) == ""


async def test_what_has_ended_is_left_alone(dead: Path) -> None:
    recover(dead, KEY)
    before = contents(dead)

    assert recover(dead, KEY) is None
    assert contents(dead) == before


@pytest.mark.requirement("ledger:recovery")
@pytest.mark.parametrize(
    "torn",
    [
        b"\x40\0\0\0\1\2\3\4half",
        b"\xff\xff\xff\xff",
        b"\x04\0\0\0\0\0\0\0four",
        b"\0\0\0\0\0\0\0\1",
    ],
    ids=["half of an entry", "no length at all", "another checksum", "a stray byte"],
)
async def test_a_torn_end_is_cut_and_the_rest_stays(dead: Path, torn: bytes) -> None:
    segment = files.segment_path(dead, 0)
    end = last_end(dead)
    edited(segment, lambda content: content.__setitem__(slice(end, end + len(torn)), torn))
    whole = [found.payload for _, found in files.read_frames(dead) if found.sound]

    found = recover(dead, KEY)

    assert found is not None
    assert found.size == len(whole) == 8
    assert [each.payload for _, each in files.read_frames(dead)] == whole
    assert not any(segment.read_bytes()[end:])
    assert damage(dead.parent) == ""


@pytest.mark.requirement("ledger:recovery")
async def test_a_log_that_is_shorter_than_what_was_signed_is_not_mended(dead: Path) -> None:
    start = files.segment_path(dead, 0).read_bytes().index(b'"call":"c-2"') // 8 * 8
    edited(files.segment_path(dead, 0), lambda c: c.__setitem__(slice(start, None), bytes(9)))
    before = contents(dead)

    with pytest.raises(LedgerDamagedError, match=r"has \d entries, but a checkpoint was signed"):
        recover(dead, KEY)
    assert contents(dead) == before


@pytest.mark.requirement("ledger:recovery")
async def test_entries_that_were_on_disk_and_are_gone_are_an_alarm(dead: Path) -> None:
    (dead / files.HASHES).write_bytes(b"h" * 32 * 9)
    before = contents(dead)

    with pytest.raises(LedgerDamagedError, match="9 were on disk"):
        recover(dead, KEY)
    assert contents(dead) == before


@pytest.mark.requirement("ledger:recovery")
async def test_entries_that_were_written_anew_under_a_checkpoint_are_an_alarm(
    dead: Path, tmp_path: Path
) -> None:
    other = await opened(tmp_path / "other")
    await called(other, "d-1")
    await called(other, "d-2")
    await other.aclose()
    segment = files.segment_path(dead, 0)
    segment.write_bytes(files.segment_path(other.folder, 0).read_bytes())
    (dead / files.HASHES).write_bytes(b"")

    with pytest.raises(LedgerDamagedError, match="is not what was signed at 5 entries"):
        recover(dead, KEY)


@pytest.mark.parametrize("name", [files.CHECKPOINT, files.CHECKPOINTS])
async def test_a_checkpoint_that_the_key_did_not_sign_is_an_alarm(dead: Path, name: str) -> None:
    path = dead / name
    path.write_text(path.read_text("utf-8").replace("\n5\n", "\n4\n"), "utf-8")
    before = contents(dead)

    with pytest.raises(LedgerDamagedError, match="no line of the checkpoint is signed"):
        recover(dead, KEY)
    assert contents(dead) == before


async def test_entries_without_a_key_are_an_alarm(dead: Path) -> None:
    (dead / files.PUBLIC_KEY).unlink()

    with pytest.raises(LedgerDamagedError, match=r"has entries and no log\.pub"):
        recover(dead, KEY)


async def test_a_log_that_never_began_has_nothing_to_end(tmp_path: Path) -> None:
    (tmp_path / "log-000001").mkdir()

    assert recover(tmp_path / "log-000001", KEY) is None
    assert not (tmp_path / "log-000001" / files.END).exists()


async def test_a_log_that_is_in_use_is_not_touched(tmp_path: Path) -> None:
    log = await opened(tmp_path)

    assert recover(log.folder, KEY) is None
    assert not (log.folder / files.END).exists()
    await log.aclose()


async def test_without_any_checkpoint_what_is_there_is_signed(dead: Path) -> None:
    for name in (files.CHECKPOINT, files.CHECKPOINTS):
        (dead / name).unlink()

    found = recover(dead, KEY)

    assert found is not None
    assert found.size == 8
    assert damage(dead.parent) == ""


async def test_a_log_that_is_signed_to_its_end_already_is_not_signed_twice(tmp_path: Path) -> None:
    log = await opened(tmp_path / "live")
    await called(log, "c-1")
    log.checkpoint()
    folder = left_behind(log, tmp_path / "dead")
    await log.aclose()
    before = files.read_text(folder / files.CHECKPOINTS)

    recover(folder, KEY)

    assert files.read_text(folder / files.CHECKPOINTS) == before


async def test_a_log_of_another_key_keeps_its_last_checkpoint(dead: Path) -> None:
    before = files.read_text(dead / files.CHECKPOINT)

    found = recover(dead, Ed25519PrivateKey.generate())

    assert found is not None
    assert files.read_text(dead / files.END) == "unsigned 8\n"
    assert files.read_text(dead / files.CHECKPOINT) == before
    assert damage(dead.parent) == ""


async def test_calls_that_were_abandoned_are_said_to_be_of_the_dead_log(dead: Path) -> None:
    log = await opened(dead.parent)
    await log.aclose()

    (line,) = [e for e in reader.entries(dead.parent) if e["kind"] == "abandoned"]
    assert (line["call"], line["of_log"], line["intent"]) == ("c-4", "test/000001", 7)
