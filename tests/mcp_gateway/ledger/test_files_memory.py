"""A segment is large on disk, and small in memory."""

import tracemalloc
from pathlib import Path

from mcp_gateway.ledger.files import SEGMENT_SIZE, Segment


def test_a_segment_is_filled_with_zeros_without_holding_as_many(tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        segment = Segment(tmp_path / "segment")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    segment.close()

    assert most < SEGMENT_SIZE / 16
    assert segment.path.read_bytes() == bytes(SEGMENT_SIZE)


def test_a_segment_of_any_size_is_filled_to_its_end(tmp_path: Path) -> None:
    size = 3 * 64 * 1024 + 5
    Segment(tmp_path / "odd", size).close()

    assert (tmp_path / "odd").read_bytes() == bytes(size)
