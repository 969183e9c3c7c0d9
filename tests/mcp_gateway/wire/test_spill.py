"""What is held is given back as it was, and leaves nothing behind."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.wire.spill import PIECE, Spill


@given(st.lists(st.binary(max_size=50), max_size=10), st.integers(1, 100))
async def test_what_was_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], buffer: int
) -> None:
    spill = Spill(tmp_path_factory.getbasetemp(), buffer)
    for piece in pieces:
        await spill.write(piece)

    assert await spill.whole() == b"".join(pieces)
    assert b"".join([piece async for piece in spill.chunks()]) == b"".join(pieces)
    assert spill.size == sum(map(len, pieces))
    spill.close()


async def test_it_is_read_in_pieces(tmp_path: Path) -> None:
    spill = Spill(tmp_path, 10)
    await spill.write(b"x" * (PIECE + 1))

    assert [len(piece) async for piece in spill.chunks()] == [PIECE, 1]
    spill.close()


@pytest.mark.requirement("streams:held-while-owed")
async def test_a_file_never_has_a_name_and_is_gone_when_closed(tmp_path: Path) -> None:
    spill = Spill(tmp_path, 10)
    await spill.write(b"x" * 100)
    held = _open_in(tmp_path)

    spill.close()
    spill.close()

    assert held == 1
    assert _open_in(tmp_path) == 0
    assert list(tmp_path.iterdir()) == []


async def test_up_to_the_buffer_there_is_no_file(tmp_path: Path) -> None:
    spill = Spill(tmp_path, 100)
    await spill.write(b"x" * 100)

    assert _open_in(tmp_path) == 0
    spill.close()


def _open_in(folder: Path) -> int:
    """Files in the folder that this process holds."""
    found = 0
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found += str(entry.readlink()).startswith(str(folder))
        except OSError:
            continue
    return found
