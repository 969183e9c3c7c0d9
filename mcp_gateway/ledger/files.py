"""The files of one log: preallocated segments, leaf hashes, checkpoints."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mcp_gateway.ledger.frame import Framed, frames

SEGMENT_SIZE: Final = 8 * 1024 * 1024
SEGMENTS: Final = "segment-*.log"
HASHES: Final = "hashes"
CHECKPOINT: Final = "checkpoint"
CHECKPOINTS: Final = "checkpoints"
PUBLIC_KEY: Final = "log.pub"
END: Final = "end"
LOCK: Final = "lock"


def logs(ledger: Path) -> list[Path]:
    """The folders of the logs, the oldest first."""
    return sorted(path for path in ledger.glob("log-*") if path.is_dir())


class Segment:
    """One zero-filled file. `size` is fixed, so that a flush changes no metadata."""

    def __init__(self, path: Path, size: int = SEGMENT_SIZE) -> None:
        self.path = path
        self.size = size
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(self.descriptor, bytes(size))
        os.fsync(self.descriptor)

    def write(self, offset: int, data: bytes) -> None:
        view = memoryview(data)
        while view:
            done = os.pwrite(self.descriptor, view, offset)
            offset, view = offset + done, view[done:]

    def flush(self) -> None:
        os.fdatasync(self.descriptor)

    def close(self) -> None:
        os.close(self.descriptor)


def segment_path(log: Path, number: int) -> Path:
    return log / f"segment-{number:06}.log"


def read_frames(log: Path) -> Iterator[tuple[Path, Framed]]:
    """Every frame of a log, with the segment it lies in."""
    for path in sorted(log.glob(SEGMENTS)):
        for found in frames(path.read_bytes()):
            yield path, found


def write_whole(path: Path, text: str) -> None:
    """Replaces a small file in one step, durably."""
    fresh = path.with_name(path.name + ".new")
    with fresh.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def lock(log: Path) -> int | None:
    """Takes the log for this process; None while another one has it."""
    descriptor = os.open(log / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
