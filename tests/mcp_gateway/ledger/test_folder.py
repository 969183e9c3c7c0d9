"""Opening a ledger: a number is given once, and what was before is remembered."""

import asyncio
import os
from pathlib import Path

import pytest

from mcp_gateway.ledger import files, folder, reader
from mcp_gateway.ledger.folder import LedgerDamagedError
from mcp_gateway.ledger.note import opened as note_opened
from tests.mcp_gateway.ledger.logs import called, damage, left_behind, opened


@pytest.mark.requirement("ledger:recovery")
async def test_every_start_begins_a_log_of_its_own(tmp_path: Path) -> None:
    for _ in range(3):
        log = await opened(tmp_path)
        await called(log, "c")
        await log.aclose()

    lines = list(reader.entries(tmp_path))
    assert [path.name for path in files.logs(tmp_path)] == [
        "log-000001",
        "log-000002",
        "log-000003",
    ]
    assert {line["log"] for line in lines} == {f"test/00000{n}" for n in (1, 2, 3)}
    assert damage(tmp_path) == ""


async def test_the_first_entry_names_the_last_checkpoints_of_the_logs_before(
    tmp_path: Path,
) -> None:
    before = await opened(tmp_path)
    await called(before, "c")
    await before.aclose()
    after = await opened(tmp_path)
    await after.aclose()

    note = files.read_text(before.folder / files.CHECKPOINT)
    last = note_opened(note, files.read_text(before.folder / files.PUBLIC_KEY))
    first = next(line for line in reader.entries(tmp_path) if line["log"] == after.origin)
    assert first["kind"] == "opened"
    assert first["witnessed"] == [
        {"log": before.origin, "size": last.size, "root": last.root.hex()}
    ]


async def test_a_log_that_is_in_use_is_nobody_elses_to_end(tmp_path: Path) -> None:
    live = await opened(tmp_path)
    other = await opened(tmp_path)
    await called(live, "c")
    await other.aclose()
    assert not (live.folder / files.END).exists()

    await live.aclose()
    assert (live.folder / files.END).read_text("utf-8").startswith("closed ")
    assert damage(tmp_path) == ""


async def test_two_that_open_at_once_have_two_logs(tmp_path: Path) -> None:
    logs = await asyncio.gather(opened(tmp_path), opened(tmp_path))
    assert len({log.folder for log in logs}) == 2
    for log in logs:
        await log.aclose()
    assert damage(tmp_path) == ""


async def test_who_cannot_have_the_folder_says_so_within_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "PATIENCE", 0.1)
    held = files.lock(tmp_path / files.LOCK)
    assert held is not None

    with pytest.raises(OSError, match="another process has been opening"):
        await opened(tmp_path)
    os.close(held)
    await (await opened(tmp_path)).aclose()


async def test_a_checkpoint_before_that_is_not_signed_stops_the_start(tmp_path: Path) -> None:
    log = await opened(tmp_path)
    await log.aclose()
    path = log.folder / files.CHECKPOINT
    path.write_text(path.read_text("utf-8").replace("test/000001", "test/00000l"), "utf-8")

    with pytest.raises(LedgerDamagedError, match="no line of the checkpoint"):
        await opened(tmp_path)


async def test_a_log_before_that_never_had_a_checkpoint_has_nothing_to_witness(
    tmp_path: Path,
) -> None:
    (tmp_path / "log-000001").mkdir()
    log = await opened(tmp_path)
    await log.aclose()

    first = next(reader.entries(tmp_path))
    assert (log.origin, first["witnessed"]) == ("test/000002", [])


async def test_when_the_numbers_are_used_up_nothing_is_given_twice(tmp_path: Path) -> None:
    (tmp_path / f"log-{folder.MOST_LOGS}").mkdir()

    with pytest.raises(LedgerDamagedError, match="no number left"):
        await opened(tmp_path)


async def test_a_new_log_whose_folder_another_holds_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = files.lock

    def only_the_ledgers(file: Path) -> int | None:
        return taken(file) if file.parent == tmp_path else None

    monkeypatch.setattr(files, "lock", only_the_ledgers)
    with pytest.raises(LedgerDamagedError, match="held by another process"):
        await opened(tmp_path)


async def test_nobody_else_may_read_the_ledger(tmp_path: Path) -> None:
    log = await opened(tmp_path / "ledger")
    await log.aclose()

    assert (tmp_path / "ledger").stat().st_mode & 0o077 == 0
    assert log.folder.stat().st_mode & 0o077 == 0


async def test_the_dead_are_ended_and_their_calls_abandoned_once(tmp_path: Path) -> None:
    log = await opened(tmp_path / "live")
    await called(log, "c")
    left_behind(log, tmp_path / "dead")
    await log.aclose()

    for _ in range(2):
        await (await opened(tmp_path / "dead")).aclose()

    opening = [e for e in reader.entries(tmp_path / "dead") if e["kind"] == "opened"]
    assert [e["recovered"] for e in opening] == [[], ["test/000001"], []]
