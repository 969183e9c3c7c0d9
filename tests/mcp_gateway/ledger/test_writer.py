"""What was handed over is on disk in order, over segments that were made ahead of time."""

import os
import threading
from pathlib import Path

import pytest

from mcp_gateway.ledger import files, writer
from mcp_gateway.ledger.frame import frame
from mcp_gateway.ledger.writer import Job, Writer

SIZE = 4096


def done_in(made: Writer, *payloads: bytes) -> OSError | None:
    """Submits the payloads as one job and waits for it."""
    ended, found = threading.Event(), []

    def done(error: OSError | None) -> None:
        found.append(error)
        ended.set()

    framed = [frame(payload) for payload in payloads]
    hashes = b"h" * 32 * len(payloads)
    made.submit(Job(b"".join(framed), tuple(map(len, framed)), hashes, done))
    assert ended.wait(10)
    return found[0]


def payloads_in(log: Path) -> list[bytes]:
    return [found.payload for _, found in files.read_frames(log) if found.sound]


@pytest.mark.parametrize("synchronous", [True, False])
def test_entries_lie_in_order_over_as_many_segments_as_they_need(
    tmp_path: Path, *, synchronous: bool
) -> None:
    made = Writer(tmp_path, SIZE, synchronous=synchronous)
    payloads = [b"%04d" % number * 50 for number in range(100)]

    for at in range(0, 100, 10):
        assert done_in(made, *payloads[at : at + 10]) is None
    assert made.stop()

    assert payloads_in(tmp_path) == payloads
    assert len(list(tmp_path.glob(files.SEGMENTS))) > 5


def test_the_next_segment_is_there_before_it_is_needed(tmp_path: Path) -> None:
    made = Writer(tmp_path, SIZE)
    assert done_in(made, b"x" * (SIZE // 2 + 1)) is None
    assert done_in(made, b"y") is None  # by now the thread has looked
    assert files.segment_path(tmp_path, 1).stat().st_size == SIZE
    assert made.stop()


def test_a_segment_that_was_not_needed_is_not_left_behind(tmp_path: Path) -> None:
    made = Writer(tmp_path, SIZE)
    assert done_in(made, b"x" * (SIZE // 2 + 1)) is None
    assert done_in(made, b"y") is None
    assert made.stop()

    (only,) = tmp_path.glob(files.SEGMENTS)
    assert only.stat().st_size < SIZE


def test_a_segment_that_cannot_be_made_ahead_is_made_when_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Writer(tmp_path, SIZE)
    real = files.write_all

    def full(descriptor: int, data: bytes, offset: int) -> None:
        if len(data) == SIZE:
            raise OSError(28, "No space left on device")
        real(descriptor, data, offset)

    monkeypatch.setattr(files, "write_all", full)
    assert done_in(made, b"x" * (SIZE - 100)) is None
    assert done_in(made, b"y") is None
    with made._rolling:  # while nobody is trying
        assert not files.segment_path(tmp_path, 1).exists()
    monkeypatch.undo()
    assert done_in(made, b"z" * 200) is None
    assert made.stop()
    assert [p[:1] for p in payloads_in(tmp_path)] == [b"x", b"y", b"z"]


def test_without_room_for_a_segment_that_is_needed_every_job_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Writer(tmp_path, SIZE)

    def full(path: Path, size: int, *, synchronous: bool) -> files.Segment:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "Segment", full)
    assert done_in(made, b"x" * (SIZE - 100)) is None
    first = done_in(made, b"z" * 200)
    assert first is not None
    assert done_in(made, b"a") is first
    made.stop()


def test_hashes_are_on_disk_when_they_are_asked_for_and_when_there_are_many(
    tmp_path: Path,
) -> None:
    made = Writer(tmp_path, 1024 * 1024)
    assert done_in(made, b"a", b"b") is None
    made.sync_hashes()
    assert (tmp_path / files.HASHES).stat().st_size == 64

    many = [b"c"] * (writer.MOST_UNHASHED // 32 + 1)
    assert done_in(made, *many) is None
    assert (tmp_path / files.HASHES).stat().st_size == 64 + 32 * len(many)
    assert made.stop()


def test_a_synchronous_segment_writes_through(tmp_path: Path) -> None:
    through = files.Segment(tmp_path / "a", 64, synchronous=True)
    held = files.Segment(tmp_path / "b", 64)
    for segment, wanted in ((through, True), (held, False)):
        flags = os.O_DSYNC & int(
            Path(f"/proc/self/fdinfo/{segment.descriptor}")
            .read_text()
            .split("flags:")[1]
            .split()[0],
            8,
        )
        assert bool(flags) is wanted
        segment.close()
