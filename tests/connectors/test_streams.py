"""Pipes that can be let go of, and leave nothing open."""

import asyncio
import os
from pathlib import Path

import pytest

from connectors.streams import Ends


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def opened_and_closed(*, piped: bool) -> None:
    ends = Ends(piped=piped)
    opened = await ends.opened(1000)
    ends.given()
    opened.close()
    opened.close()
    ends.close()
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("piped", [True, False])
async def test_nothing_is_left_open(piped: bool) -> None:  # noqa: FBT001
    await opened_and_closed(piped=piped)  # the loop opens something of its own the first time
    before = open_files()

    await opened_and_closed(piped=piped)

    assert open_files() == before


async def test_what_was_never_used_is_closed() -> None:
    before = open_files()

    Ends(piped=True).close()

    assert open_files() == before


async def test_a_system_without_files_left_is_told_and_nothing_is_left_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before, made, real = open_files(), [0], os.pipe

    def pipe() -> tuple[int, int]:
        made[0] += 1
        if made[0] == 3:
            raise OSError(24, "Too many open files")
        return real()

    monkeypatch.setattr(os, "pipe", pipe)
    with pytest.raises(OSError, match="Too many open files"):
        Ends(piped=True)

    assert open_files() == before
