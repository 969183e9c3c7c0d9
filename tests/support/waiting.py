"""Waiting, within a bound, for what somebody else does."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

BOUND = 15.0


async def until(happened: Callable[[], object], bound: float = BOUND) -> None:
    async with asyncio.timeout(bound):
        while not happened():
            await asyncio.sleep(0.01)


def running(pid: int) -> bool:
    """Whether a process still runs. One that waits to be reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def reaped(pid: int) -> bool:
    """Whether a child of this process is gone for good."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return True
    return False
