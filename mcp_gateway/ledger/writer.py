"""The writer: one thread that writes and flushes batches, the next while the last one runs."""

import os
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mcp_gateway.ledger.files import (
    HASHES,
    PRIVATE,
    SEGMENT_SIZE,
    Segment,
    segment_path,
    write_all,
)

Done = Callable[[OSError | None], None]
STOP: Final = None


@dataclass(frozen=True, slots=True)
class Job:
    """Frames of these sizes, and the leaf hashes of all that this flush makes durable."""

    data: bytes
    sizes: tuple[int, ...]
    hashes: bytes
    done: Done


class Writer:
    """Owns the segments. Jobs are done in order; after a failure every one of them fails.

    A failed flush is never tried again: the kernel may have dropped the pages and would report
    success the next time. Hashes are written after the flush, so that they never say more than
    is on disk.
    """

    def __init__(self, log: Path, segment_size: int = SEGMENT_SIZE) -> None:
        self._log = log
        self._segment_size = segment_size
        self._number = 0
        self._offset = 0
        # The last one is written to. Only the thread takes segments out, and never the last.
        self._segments = [Segment(segment_path(log, 0), segment_size)]
        self._hashes = os.open(log / HASHES, os.O_WRONLY | os.O_CREAT, PRIVATE)
        self._hashed = 0
        self._failed: OSError | None = None
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Writes and flushes; then calls `done`, on the writer's thread."""
        self._jobs.put(job)

    def write(self, framed: bytes) -> None:
        """Hands one frame to the operating system, on the caller's thread. Raises OSError.

        Whoever uses this submits jobs without frames only, which flush what was written.
        """
        if self._offset + len(framed) > self._segment_size:
            self._roll()
        self._put(framed)

    def sync_hashes(self) -> None:
        """Raises OSError."""
        os.fdatasync(self._hashes)

    def stop(self, timeout: float = 10.0) -> bool:
        """Does what was submitted, then ends the thread. False if it does not end in time."""
        self._jobs.put(STOP)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not STOP:
            if self._failed is None:
                try:
                    self._do(job)
                except OSError as error:
                    self._failed = error
            job.done(self._failed)
        self._close()

    def _do(self, job: Job) -> None:
        self._write(job.data, job.sizes)
        self._flush()
        write_all(self._hashes, job.hashes, self._hashed)
        self._hashed += len(job.hashes)

    def _write(self, data: bytes, sizes: tuple[int, ...]) -> None:
        start = end = 0
        for size in sizes:
            if self._offset + (end - start) + size > self._segment_size:
                self._put(data[start:end])
                self._roll()
                start = end
            end += size
        self._put(data[start:end])

    def _put(self, data: bytes) -> None:
        self._segments[-1].write(self._offset, data)
        self._offset += len(data)

    def _flush(self) -> None:
        written = tuple(self._segments)
        for segment in written:
            segment.flush()
        for segment in written[:-1]:
            self._segments.remove(segment)
            segment.close()

    def _roll(self) -> None:
        fresh = Segment(segment_path(self._log, self._number + 1), self._segment_size)
        self._segments.append(fresh)
        self._number += 1
        self._offset = 0

    def _close(self) -> None:
        os.close(self._hashes)
        for segment in self._segments:
            last = segment is self._segments[-1] and self._failed is None
            segment.close(self._offset if last else None)
