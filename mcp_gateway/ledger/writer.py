"""The writer: one thread that makes batches durable, the next while the last one runs."""

import contextlib
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
    sync_data,
    write_all,
)

Done = Callable[[OSError | None], None]
STOP: Final = None
MOST_UNHASHED: Final = 64 * 1024
"""Bytes of hashes that wait for the next checkpoint."""


@dataclass(frozen=True, slots=True)
class Job:
    """Frames of these sizes, and the leaf hashes of all that this flush makes durable."""

    data: bytes
    sizes: tuple[int, ...]
    hashes: bytes
    done: Done


class Writer:
    """Owns the segments. Jobs are done in order; after a failure every one of them fails.

    With `synchronous` jobs bring the frames, and each is on disk when its write returns; else
    the caller hands frames over by `write`, and jobs flush them. A failed flush is never tried
    again: the kernel may have dropped the pages and would report success the next time. Hashes
    are written by a job after the one that made their entries durable, so that they never say
    more than is on disk.
    """

    def __init__(
        self, log: Path, segment_size: int = SEGMENT_SIZE, *, synchronous: bool = True
    ) -> None:
        self._log = log
        self._segment_size = segment_size
        self._synchronous = synchronous
        self._number = 0
        self._offset = 0
        # The last one is written to. Only the thread takes segments out, and never the last.
        self._segments = [self._made(0)]
        self._spare: Segment | None = None
        self._rolling = threading.Lock()
        self._hashes = os.open(log / HASHES, os.O_WRONLY | os.O_CREAT, PRIVATE)
        self._hashed = 0
        self._unhashed = b""
        self._hashing = threading.Lock()
        self._failed: OSError | None = None
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Writes and flushes; then calls `done`, on the writer's thread."""
        self._jobs.put(job)

    def write(self, data: bytes, sizes: tuple[int, ...]) -> None:
        """Hands frames to the operating system, on the caller's thread. Raises OSError.

        Whoever uses this submits jobs without frames only, which flush what was written.
        """
        self._write(data, sizes)

    def sync_hashes(self) -> None:
        """Makes the hashes of everything that is on disk durable. Raises OSError."""
        self._write_hashes()
        sync_data(self._hashes)

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
            self._prepare()
        self._close()

    def _do(self, job: Job) -> None:
        self._write(job.data, job.sizes)
        self._flush()
        with self._hashing:
            self._unhashed += job.hashes
        if len(self._unhashed) > MOST_UNHASHED:
            self._write_hashes()

    def _write_hashes(self) -> None:
        with self._hashing:
            write_all(self._hashes, self._unhashed, self._hashed)
            self._hashed += len(self._unhashed)
            self._unhashed = b""

    def _write(self, data: bytes, sizes: tuple[int, ...]) -> None:
        start = end = 0
        for size in sizes:
            if self._offset + (end - start) + size > self._segment_size:
                self._put(data[start:end])
                self._roll()
                start = end
            end += size
        if end > start:
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

    def _prepare(self) -> None:
        """Fills the next segment with zeros ahead of time, so that no call waits for that.

        Where there is no room for one yet, it is made when it is needed, or fails then.
        """
        with self._rolling, contextlib.suppress(OSError):
            if self._spare is None and self._offset > self._segment_size // 2:
                self._spare = self._made(self._number + 1)

    def _roll(self) -> None:
        with self._rolling:
            fresh, self._spare = self._spare or self._made(self._number + 1), None
            self._segments.append(fresh)
            self._number += 1
            self._offset = 0

    def _made(self, number: int) -> Segment:
        path = segment_path(self._log, number)
        return Segment(path, self._segment_size, synchronous=self._synchronous)

    def _close(self) -> None:
        os.close(self._hashes)
        if self._spare:
            self._spare.discard()
        for segment in self._segments:
            last = segment is self._segments[-1] and self._failed is None
            segment.close(self._offset if last else None)
