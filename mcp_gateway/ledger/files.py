"""The files of one log: preallocated segments, leaf hashes, checkpoints."""

import fcntl
import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mcp_gateway.ledger.frame import Framed, frames
from mcp_gateway.ledger.merkle import HASH_SIZE

SEGMENT_SIZE: Final = 8 * 1024 * 1024
SEGMENTS: Final = "segment-*.log"
HASHES: Final = "hashes"
CHECKPOINT: Final = "checkpoint"
CHECKPOINTS: Final = "checkpoints"
PUBLIC_KEY: Final = "log.pub"
END: Final = "end"
LOCK: Final = "lock"
PRIVATE: Final = 0o600


def logs(ledger: Path) -> list[Path]:
    """The folders of the logs, the oldest first."""
    return sorted(path for path in ledger.glob("log-[0-9]*") if path.is_dir())


class Segment:
    """One zero-filled file. `size` is fixed, so that a flush changes no metadata.

    With `synchronous` a write is on disk when it returns: one system call in place of two.
    """

    def __init__(self, path: Path, size: int = SEGMENT_SIZE, *, synchronous: bool = False) -> None:
        self.path = path
        self.size = size
        self._synchronous = synchronous
        mode = os.O_DSYNC if synchronous else 0
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | mode, PRIVATE)
        try:
            # Pages that nobody wrote to are no memory, where bytes() might keep some for good.
            zeros = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            write_all(self.descriptor, zeros, 0)
            os.fsync(self.descriptor)
            sync_folder(path.parent)
        except OSError:
            self.discard()
            raise

    def write(self, offset: int, data: bytes) -> None:
        write_all(self.descriptor, data, offset)

    def flush(self) -> None:
        """Makes what was written durable; there is nothing to do when `synchronous`."""
        if not self._synchronous:
            sync_data(self.descriptor)

    def close(self, size: int | None = None) -> None:
        """`size`, when the segment stays shorter than planned, gives the rest back."""
        if size is not None:
            os.ftruncate(self.descriptor, size)
        os.close(self.descriptor)

    def discard(self) -> None:
        """Ends a segment that was never written to."""
        os.close(self.descriptor)
        self.path.unlink()


def sync_data(descriptor: int) -> None:
    """The content of a file; its other properties too where the system knows no less."""
    getattr(os, "fdatasync", os.fsync)(descriptor)


def write_all(descriptor: int, data: bytes | mmap.mmap, offset: int) -> None:
    """All of it, however little the system takes at a time. Raises OSError."""
    view = memoryview(data)
    while view:
        done = os.pwrite(descriptor, view, offset)
        offset, view = offset + done, view[done:]


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable, which a flush of the files themselves does not."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def segment_path(log: Path, number: int) -> Path:
    return log / f"segment-{number:06}.log"


def read_frames(log: Path) -> Iterator[tuple[Path, Framed]]:
    """Every frame of a log, with the segment it lies in."""
    for path in sorted(log.glob(SEGMENTS)):
        for found in frames(path.read_bytes()):
            yield path, found


def write_whole(path: Path, text: str) -> None:
    """Replaces a small file in one step, durably. Nobody else may read it."""
    fresh = path.with_name(path.name + ".new")
    _write(fresh, text, os.O_TRUNC)
    fresh.replace(path)
    sync_folder(path.parent)


def append_text(path: Path, text: str) -> None:
    """Adds to the end of a file, durably."""
    _write(path, text, os.O_APPEND)


def read_text(path: Path) -> str:
    """What a small file holds; empty when it is missing. Bytes that are no text stay visible."""
    return path.read_text("utf-8", errors="replace") if path.exists() else ""


def read_hashes(log: Path) -> list[bytes]:
    """The leaf hashes kept beside the entries, of those that are known to be on disk."""
    file = log / HASHES
    raw = file.read_bytes() if file.exists() else b""
    whole = len(raw) - len(raw) % HASH_SIZE
    return [raw[at : at + HASH_SIZE] for at in range(0, whole, HASH_SIZE)]


def lock(file: Path) -> int | None:
    """Takes a lock for this process, until the descriptor is closed; None while another has it."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, PRIVATE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _write(path: Path, text: str, flag: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | flag, PRIVATE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
