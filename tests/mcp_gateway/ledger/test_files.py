import os
from pathlib import Path

import pytest

from mcp_gateway.ledger import files
from mcp_gateway.ledger.frame import frame
from tests.mcp_gateway.ledger.logs import a_disk_that_takes_no_more


def test_logs_are_folders_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("log-000010", "log-000002", "log-old", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "log-000003").write_text("a file")

    assert [path.name for path in files.logs(tmp_path)] == ["log-000002", "log-000010"]
    assert files.logs(tmp_path / "missing") == []


def test_a_segment_is_filled_with_zeros_and_private_and_gives_the_rest_back(tmp_path: Path) -> None:
    path = tmp_path / "segment-000000.log"
    segment = files.Segment(path, 4096)
    segment.write(8, b"entry")
    segment.flush()
    assert path.read_bytes() == bytes(8) + b"entry" + bytes(4083)
    assert path.stat().st_mode & 0o077 == 0

    segment.close(16)
    assert path.stat().st_size == 16


def test_a_segment_is_never_made_twice(tmp_path: Path) -> None:
    files.Segment(tmp_path / "segment-000000.log", 16).close()

    with pytest.raises(FileExistsError):
        files.Segment(tmp_path / "segment-000000.log", 16)


def test_a_write_that_the_system_takes_in_parts_is_done_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: taken(fd, bytes(data[:3]), at))
    with (tmp_path / "file").open("w+b") as file:
        files.write_all(file.fileno(), b"0123456789", 2)

    assert (tmp_path / "file").read_bytes() == b"\0\x000123456789"


def test_frames_are_read_over_the_segments_in_order(tmp_path: Path) -> None:
    for number, payload in [(1, b"second"), (0, b"first")]:
        files.segment_path(tmp_path, number).write_bytes(frame(payload) + bytes(32))

    found = [(path.name, each.payload) for path, each in files.read_frames(tmp_path)]

    assert found == [("segment-000000.log", b"first"), ("segment-000001.log", b"second")]


def test_a_small_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    files.write_whole(path, "before")
    with a_disk_that_takes_no_more(), pytest.raises(OSError, match="File too large"):
        files.write_whole(path, "after")

    assert files.read_text(path) == "before"
    assert path.stat().st_mode & 0o077 == 0


def test_text_is_added_at_the_end_and_what_is_no_text_stays_visible(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints"
    files.append_text(path, "one\n")
    files.append_text(path, "two\n")
    assert files.read_text(path) == "one\ntwo\n"

    path.write_bytes(b"\xff")
    assert files.read_text(path) == "\ufffd"
    assert files.read_text(tmp_path / "missing") == ""


def test_a_half_written_hash_does_not_count(tmp_path: Path) -> None:
    assert files.read_hashes(tmp_path) == []
    (tmp_path / files.HASHES).write_bytes(b"a" * 32 + b"b" * 32 + b"c" * 31)

    assert files.read_hashes(tmp_path) == [b"a" * 32, b"b" * 32]


def test_a_lock_is_held_by_one_until_it_is_closed(tmp_path: Path) -> None:
    held = files.lock(tmp_path / "lock")
    assert held is not None
    assert files.lock(tmp_path / "lock") is None

    os.close(held)
    again = files.lock(tmp_path / "lock")
    assert again is not None
    os.close(again)
