"""Appending: a receipt means that the entry is there, and without one the call is refused."""

import asyncio
import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mcp_gateway.core.entry import Entry, Receipt
from mcp_gateway.core.errors import Overloaded
from mcp_gateway.ledger import append, files, reader
from mcp_gateway.ledger.append import Durability, Log
from mcp_gateway.ledger.commitment import Commitments
from mcp_gateway.ledger.note import opened as note_opened
from tests.mcp_gateway.ledger.logs import (
    BOTH,
    KEY,
    SECRET,
    a_disk_that_takes_no_more,
    called,
    damage,
    left_behind,
    notes,
    opened,
)

either = pytest.mark.parametrize("durability", BOTH)


class Disk:
    """A disk that can be made to answer the writer's thread no more."""

    def __init__(self) -> None:
        self.asked, self.answers = threading.Event(), threading.Event()
        self.answers.set()
        self._loop = threading.current_thread()

    def slowed(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def waiting(*arguments: Any) -> Any:
            if threading.current_thread() is not self._loop and not self.answers.is_set():
                self.asked.set()
                assert self.answers.wait(30), "the test never let the disk answer"
            return call(*arguments)

        return waiting

    def stop(self) -> None:
        self.asked.clear()
        self.answers.clear()

    async def is_asked(self) -> None:
        """Returns when the writer's thread waits for the disk."""
        assert await asyncio.to_thread(self.asked.wait, 10)

    def go_on(self) -> None:
        self.answers.set()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    disk = Disk()
    for name in ("pwrite", "fdatasync"):
        monkeypatch.setattr(os, name, disk.slowed(getattr(os, name)))
    yield disk
    disk.go_on()


def signed_size(log: Log) -> int:
    """How many entries the newest checkpoint covers."""
    note = files.read_text(log.folder / files.CHECKPOINT)
    return note_opened(note, files.read_text(log.folder / files.PUBLIC_KEY)).size if note else 0


@either
async def test_entries_have_the_places_that_their_receipts_say(
    tmp_path: Path, durability: Durability
) -> None:
    log = await opened(tmp_path, durability)
    receipts = [await log.append(Entry("spawn", body={"n": n})) for n in range(5)]
    await log.aclose()

    assert receipts == [Receipt(log.origin, n) for n in range(1, 6)]
    lines = [line for line in reader.entries(tmp_path) if line["kind"] == "spawn"]
    assert [(line["index"], line["n"]) for line in lines] == [(n + 1, n) for n in range(5)]
    assert damage(tmp_path) == ""


@pytest.mark.requirement("ledger:a-receipt-is-a-promise")
@either
async def test_a_receipt_is_given_once_the_entry_is_in_the_file(
    tmp_path: Path, durability: Durability
) -> None:
    log = await opened(tmp_path, durability)
    for number in range(20):
        await called(log, f"c-{number}")
        assert len(reader.of_call(tmp_path, f"c-{number}")) == 2
    await log.aclose()


@pytest.mark.requirement("ledger:a-receipt-is-a-promise")
@either
async def test_what_a_killed_process_acknowledged_is_there(
    tmp_path: Path, durability: Durability
) -> None:
    log = await opened(tmp_path / "live", durability)
    await called(log, "c-1")
    left_behind(log, tmp_path / "dead")
    await log.aclose()

    await (await opened(tmp_path / "dead")).aclose()
    kinds = [line["kind"] for line in reader.of_call(tmp_path / "dead", "c-1")]
    assert kinds == ["intent", "outcome"]
    assert damage(tmp_path / "dead") == ""


async def test_time_never_runs_backwards_in_a_log(tmp_path: Path) -> None:
    moments = iter([5_000_000, 9_000_000, 3_000_000, 7_000_000])
    log = Log(tmp_path, "test", KEY, Commitments(SECRET), clock=lambda: next(moments))
    for _ in range(3):
        await log.append(Entry("spawn"))
    await log.aclose()

    frames = [found.payload for _, found in files.read_frames(tmp_path)]
    times = [int(payload.partition(b'"time":')[2].split(b",")[0].strip(b"}")) for payload in frames]
    assert times == [5_000, 9_000, 9_000, 9_000]


@either
async def test_what_is_written_is_on_disk_soon_without_anybody_waiting(
    tmp_path: Path, durability: Durability
) -> None:
    log = await opened(tmp_path, durability)
    await log.append(Entry("spawn"))

    async with asyncio.timeout(5):
        while signed_size(log) < log.size:
            await asyncio.to_thread(log.checkpoint)
            await asyncio.sleep(0.01)
    assert log.size == 2
    await log.aclose()


@either
async def test_a_checkpoint_covers_what_is_on_disk_and_is_signed_once(
    tmp_path: Path, durability: Durability
) -> None:
    log = await opened(tmp_path, durability)
    await log.aclose()
    before = files.read_text(log.folder / files.CHECKPOINTS)
    log.checkpoint()

    assert signed_size(log) == log.size == 2
    assert files.read_text(log.folder / files.CHECKPOINTS) == before


@pytest.mark.requirement("ledger:a-failed-write-refuses")
@either
async def test_a_disk_that_takes_no_more_refuses_this_call_and_all_after_it(
    tmp_path: Path, durability: Durability
) -> None:
    log = await opened(tmp_path, durability)
    with a_disk_that_takes_no_more(), pytest.raises(Overloaded, match="File too large"):
        await log.append(Entry("intent", "c-1"))

    with pytest.raises(Overloaded, match="cannot record this call") as refused:
        log.append(Entry("intent", "c-2"))
    assert refused.value.retry_after > 0
    assert not log.healthy
    await log.aclose()
    assert "closed" not in [line["kind"] for line in reader.entries(tmp_path)]
    assert "the log is open, or its process ended" in notes(tmp_path)


@pytest.mark.requirement("ledger:a-failed-write-refuses")
async def test_a_failure_refuses_everybody_who_waits(tmp_path: Path) -> None:
    log = await opened(tmp_path)
    with a_disk_that_takes_no_more():
        waiting = [log.append(Entry("intent", f"c-{n}")) for n in range(20)]
        ended = await asyncio.gather(*waiting, return_exceptions=True)

    assert all(isinstance(end, Overloaded) for end in ended)
    await log.aclose()


@pytest.mark.requirement("ledger:a-failed-write-refuses")
async def test_a_checkpoint_that_cannot_be_written_fences_the_log(tmp_path: Path) -> None:
    log = await opened(tmp_path)
    await log.append(Entry("spawn"))
    with a_disk_that_takes_no_more():
        log.checkpoint()

    assert "signing a checkpoint failed" in log.trouble
    with pytest.raises(Overloaded, match="signing a checkpoint failed"):
        log.append(Entry("intent", "c-1"))
    before = files.read_text(log.folder / files.CHECKPOINTS)
    log.checkpoint()
    assert files.read_text(log.folder / files.CHECKPOINTS) == before
    await log.aclose()
    assert not (log.folder / files.END).exists()


@pytest.mark.requirement("ledger:a-stalled-disk-refuses")
async def test_a_disk_that_does_not_answer_refuses_within_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disk: Disk
) -> None:
    log = await opened(tmp_path)
    disk.stop()
    monkeypatch.setattr(append, "STALLED", 0.2)
    began = time.monotonic()

    with pytest.raises(Overloaded, match="the disk does not answer"):
        await log.append(Entry("intent", "c-1"))
    with pytest.raises(Overloaded, match="the disk does not answer"):
        log.append(Entry("intent", "c-2"))

    assert time.monotonic() - began < 5
    assert not log.healthy
    disk.go_on()
    await log.aclose()


@pytest.mark.requirement("ledger:a-stalled-disk-refuses")
async def test_a_disk_that_answers_again_is_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disk: Disk
) -> None:
    log = await opened(tmp_path)
    disk.stop()
    monkeypatch.setattr(append, "STALLED", 0.2)
    with pytest.raises(Overloaded):
        await log.append(Entry("intent", "late"))
    disk.go_on()

    async with asyncio.timeout(5):
        while not log.healthy:
            await asyncio.sleep(0.01)
    await called(log, "c-1")
    await log.aclose()
    assert [line["kind"] for line in reader.of_call(tmp_path, "late")] == ["intent"]
    assert damage(tmp_path) == ""


@pytest.mark.requirement("ledger:a-stalled-disk-refuses")
async def test_no_more_than_a_bound_wait_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disk: Disk
) -> None:
    log = await opened(tmp_path)
    disk.stop()
    monkeypatch.setattr(append, "MOST_WAITING", 3)
    waiting: list[Awaitable[Receipt]] = []

    async def ever_more() -> None:
        for number in range(10):
            waiting.append(log.append(Entry("intent", f"c-{number}")))
            await asyncio.sleep(0)

    with pytest.raises(Overloaded, match="too many entries wait"):
        await ever_more()

    disk.go_on()
    assert len([await each for each in waiting]) == len(waiting)
    assert log.healthy
    await log.aclose()


async def test_what_comes_while_the_disk_is_busy_is_flushed_next(
    tmp_path: Path, disk: Disk
) -> None:
    log = await opened(tmp_path)
    disk.stop()
    first = asyncio.ensure_future(log.append(Entry("spawn")))
    await disk.is_asked()
    second = asyncio.ensure_future(log.append(Entry("spawn")))
    await asyncio.sleep(0)
    assert not first.done()
    assert not second.done()

    disk.go_on()
    assert [(await first).index, (await second).index] == [1, 2]
    await log.aclose()


async def test_what_is_written_during_a_flush_is_flushed_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disk: Disk
) -> None:
    monkeypatch.setattr(append, "SPREAD", 0.001)
    log = await opened(tmp_path, "written")
    disk.stop()
    await log.append(Entry("spawn"))
    await disk.is_asked()
    await log.append(Entry("spawn"))
    disk.go_on()

    async with asyncio.timeout(5):
        while signed_size(log) < 3:
            await asyncio.to_thread(log.checkpoint)
            await asyncio.sleep(0.01)
    await log.aclose()


async def test_a_failure_finds_that_somebody_has_stopped_waiting(tmp_path: Path) -> None:
    log = await opened(tmp_path)
    with a_disk_that_takes_no_more():
        gone = asyncio.ensure_future(log.append(Entry("intent", "gone")))
        stays = asyncio.ensure_future(log.append(Entry("intent", "stays")))
        gone.cancel()
        with pytest.raises(Overloaded):
            await stays

    assert gone.cancelled()
    await log.aclose()


async def test_a_caller_who_stops_waiting_spoils_nothing_for_the_others(
    tmp_path: Path, disk: Disk
) -> None:
    log = await opened(tmp_path)
    disk.stop()
    gone = asyncio.ensure_future(log.append(Entry("intent", "gone")))
    stays = asyncio.ensure_future(log.append(Entry("intent", "stays")))
    await asyncio.sleep(0)
    gone.cancel()
    disk.go_on()

    assert (await stays).index == 2
    assert [line["kind"] for line in reader.of_call(tmp_path, "gone")] == ["intent"]
    await log.aclose()


async def test_a_closed_log_takes_nothing_and_is_closed_once(tmp_path: Path) -> None:
    log = await opened(tmp_path)
    await log.aclose()
    await log.aclose()

    with pytest.raises(Overloaded, match="the ledger is closed"):
        log.append(Entry("intent", "c-1"))
    assert [line["kind"] for line in reader.entries(tmp_path)] == ["opened", "closed"]
    assert files.read_text(log.folder / files.END) == "closed 2\n"
    lock = files.lock(log.folder / files.LOCK)
    assert lock is not None, "nobody holds a log that was closed"
    os.close(lock)


@either
async def test_closing_waits_for_what_is_on_its_way_and_signs_all_of_it(
    tmp_path: Path, durability: Durability
) -> None:
    log = await opened(tmp_path, durability)
    waiting = [asyncio.ensure_future(log.append(Entry("spawn"))) for _ in range(50)]
    await asyncio.sleep(0)
    await log.aclose()

    assert len(await asyncio.gather(*waiting)) == 50
    assert signed_size(log) == log.size == 52
    assert damage(tmp_path) == ""


async def test_a_log_whose_end_cannot_be_written_stays_open_for_the_next_start(
    tmp_path: Path,
) -> None:
    log = await opened(tmp_path)
    await called(log, "c-1")
    with a_disk_that_takes_no_more():
        await log.aclose()
    assert log.trouble
    assert not (log.folder / files.END).exists()

    await (await opened(tmp_path)).aclose()
    assert files.read_text(log.folder / files.END) == "recovered 3\n"
    assert damage(tmp_path) == ""


async def test_a_log_whose_last_checkpoint_cannot_be_signed_is_not_closed(tmp_path: Path) -> None:
    log = await opened(tmp_path)
    (log.folder / files.CHECKPOINT).mkdir()
    await log.aclose()

    assert "signing a checkpoint failed" in log.trouble
    assert not (log.folder / files.END).exists()
