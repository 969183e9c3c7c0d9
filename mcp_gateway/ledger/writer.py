"""The writer: one thread that writes and flushes batches, the next while the last one runs."""

import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from mcp_gateway.ledger.files import SEGMENT_SIZE, Segment, segment_path

Done = Callable[[OSError | None], None]
Job = tuple[bytes, tuple[int, ...], Done]
STOP: Final = None


class Writer:
    """Owns the segments. Jobs are done in order; after a failure every one of them fails.

    A failed flush is never tried again: the kernel may have dropped the pages and would report
    success the next time.
    """

    def __init__(self, log: Path, segment_size: int = SEGMENT_SIZE) -> None:
        self._log = log
        self._segment_size = segment_size
        self._number = 0
        self._offset = 0
        self._segment = Segment(segment_path(log, 0), segment_size)
        self._full: list[Segment] = []
        self._failed: OSError | None = None
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def submit(self, data: bytes, sizes: tuple[int, ...], done: Done) -> None:
        """Writes the frames in `data`, of these sizes, and flushes; then calls `done`."""
        self._jobs.put((data, sizes, done))

    def write(self, framed: bytes) -> None:
        """Hands one frame to the operating system, on the caller's thread. Raises OSError.

        Whoever uses this submits empty jobs only, which flush what was written.
        """
        if self._offset + len(framed) > self._segment_size:
            self._roll()
        self._put(framed)

    def stop(self, timeout: float = 10.0) -> None:
        """Does what was submitted, then ends the thread."""
        self._jobs.put(STOP)
        self._thread.join(timeout)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not STOP:
            data, sizes, done = job
            if self._failed is None:
                try:
                    self._write(data, sizes)
                    self._flush()
                except OSError as error:
                    self._failed = error
            done(self._failed)
        self._segment.close()

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
        self._segment.write(self._offset, data)
        self._offset += len(data)

    def _flush(self) -> None:
        current = self._segment
        while self._full:
            segment = self._full.pop()
            segment.flush()
            segment.close()
        current.flush()

    def _roll(self) -> None:
        self._full.append(self._segment)
        self._number += 1
        self._offset = 0
        self._segment = Segment(segment_path(self._log, self._number), self._segment_size)
