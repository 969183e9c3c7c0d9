"""Log: appends entries, shares each flush among all that wait, and signs checkpoints."""

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mcp_gateway.core import ports
from mcp_gateway.core.entry import Entry, Receipt
from mcp_gateway.core.errors import Overloaded
from mcp_gateway.ledger import files, merkle
from mcp_gateway.ledger.commitment import Commitments
from mcp_gateway.ledger.frame import frame
from mcp_gateway.ledger.line import line
from mcp_gateway.ledger.note import Checkpoint, signed, verifier_line
from mcp_gateway.ledger.writer import Job, Writer

Durability = Literal["flushed", "written"]
Waiting = tuple[asyncio.Future[Receipt], int]
MOST_WAITING: Final = 10_000
MOST_UNFLUSHED: Final = 100_000
STALLED: Final = 5.0
"""Seconds after which a flush that has not come back stops new calls."""
SPREAD: Final = 0.05
"""Seconds within which `written` entries are flushed."""
GATHERING: Final = 4
"""Turns of the loop that a write waits at most for entries that will share it. Calls that then go
on together also cost less: at 16 callers a third less than one after the other."""
RETRY_AFTER: Final = 5
REFUSED: Final = "the gateway cannot record this call"


class Log:
    """One log of one process. Implements `ports.Ledger`.

    `flushed` resolves an append once it is on disk; `written` once the operating system has it,
    and flushes within 50 ms: that survives a crash of the process, not of the machine. `lock` is
    the descriptor that holds the folder, closed with the log.
    """

    def __init__(  # noqa: PLR0913  # four of them have defaults
        self,
        folder: Path,
        origin: str,
        key: Ed25519PrivateKey,
        commitments: Commitments,
        *,
        durability: Durability = "flushed",
        segment_size: int = files.SEGMENT_SIZE,
        clock: Callable[[], int] = time.time_ns,
        lock: int | None = None,
    ) -> None:
        self.folder = folder
        self.origin = origin
        self.trouble = ""
        self._key = key
        self._commitments = commitments
        self._written = durability == "written"
        self._clock = clock
        self._lock = lock
        self._loop = asyncio.get_running_loop()
        files.write_whole(folder / files.PUBLIC_KEY, verifier_line(origin, key) + "\n")
        self._writer = Writer(folder, segment_size, synchronous=not self._written)
        self._frontier = merkle.Frontier()
        self._durable = merkle.Frontier()
        self._signed = -1
        self._signing = threading.Lock()
        self._batch: list[bytes] = []
        self._leaves: list[bytes] = []
        self._waiting: list[Waiting] = []
        self._flushing = 0.0
        self._due = False
        self._gathering = False
        self._latest = 0
        self._settling = asyncio.Event()
        self._closed = False
        self._released = False

    @property
    def healthy(self) -> bool:
        return not self._refusal()

    @property
    def size(self) -> int:
        """How many entries were appended."""
        return self._frontier.size

    def append(self, entry: Entry) -> Awaitable[Receipt]:
        """Resolves to the receipt once the entry is as durable as configured.

        Raises Overloaded, here or when awaited, if it cannot be made so; and TypeError or
        ValueError for an entry that no format holds.
        """
        if trouble := self._refusal():
            raise Overloaded(f"{REFUSED}: {trouble}", retry_after=RETRY_AFTER)
        index = self._frontier.size
        # Time never runs backwards within a log, so that logs can be merged by it.
        self._latest = max(self._latest, self._clock() // 1000)
        payload = line(entry, self.origin, index, self._latest, self._commitments)
        framed, leaf = frame(payload), merkle.leaf_hash(payload)
        self._frontier.append(leaf)
        self._leaves.append(leaf)
        self._batch.append(framed)
        future: asyncio.Future[Receipt] = self._loop.create_future()
        self._waiting.append((future, index))
        if not self._gathering and (self._written or not self._flushing):
            self._write_next()
        return future

    def committing(self, subject: str, call: str, kind: str, path: str) -> ports.Committing:
        return self._commitments.begun(subject, call, kind, path)

    def _write_next(self) -> None:
        """Writes when whatever else can run now has run: its entries share the write."""
        self._gathering = True
        self._loop.call_soon(self._gather, len(self._batch), GATHERING)

    def _gather(self, before: int, turns: int) -> None:
        """Waits for another turn of the loop while turns bring entries, and for no clock."""
        if turns and len(self._batch) > before:
            self._loop.call_soon(self._gather, len(self._batch), turns - 1)
            return
        self._gathering = False
        if self._written:
            self._hand_over()
            self._flush_soon()
        else:
            self._flush()

    def _hand_over(self) -> None:
        """Durability `written`: no thread is waited for."""
        batch, self._batch = self._batch, []
        waiting, self._waiting = self._waiting, []
        try:
            self._writer.write(b"".join(batch), tuple(map(len, batch)))
        except OSError as error:
            self._poison(error, waiting)
        else:
            self._resolve(waiting)

    def _flush_soon(self) -> None:
        if not self._due and not self._flushing:
            self._due = True
            self._loop.call_later(SPREAD, self._flush)

    def _refusal(self) -> str:
        if self.trouble:
            return self.trouble
        if self._closed:
            return "the ledger is closed"
        if len(self._waiting) >= MOST_WAITING or len(self._leaves) >= MOST_UNFLUSHED:
            return "too many entries wait for the disk"
        if self._flushing and self._loop.time() - self._flushing > STALLED:
            return "the disk does not answer"
        return ""

    def _flush(self) -> None:
        """Hands everything that waits to the writer, in one batch. One is under way at a time."""
        self._due = False
        self._flushing = self._loop.time()
        if self._written:
            self._hand_over()
        batch, self._batch = self._batch, []
        hashes, self._leaves = b"".join(self._leaves), []
        waiting, self._waiting = self._waiting, []
        frontier = self._frontier.copy()
        alarm = self._loop.call_later(STALLED, self._give_up, waiting)

        def flushed(error: OSError | None) -> None:
            alarm.cancel()
            self._flushed(error, waiting, frontier)

        def done(error: OSError | None) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is gone, and all who waited
                self._loop.call_soon_threadsafe(flushed, error)

        self._writer.submit(Job(b"".join(batch), tuple(map(len, batch)), hashes, done))

    def _flushed(
        self, error: OSError | None, waiting: list[Waiting], frontier: merkle.Frontier
    ) -> None:
        self._flushing = 0.0
        if error is not None:
            self._poison(error, waiting)
            return
        self._durable = frontier
        self._settling.set()
        self._resolve(waiting)
        if self._batch and not self._written:
            self._write_next()
        elif self._leaves:
            self._flush_soon()

    def _resolve(self, waiting: list[Waiting]) -> None:
        for future, index in waiting:
            if not future.done():
                future.set_result(Receipt(self.origin, index))

    def _give_up(self, waiting: list[Waiting]) -> None:
        """Nobody waits longer for a disk than this. The entries may still reach it."""
        self._refuse([*waiting, *self._waiting], "the disk does not answer")

    def _poison(self, error: OSError, waiting: list[Waiting]) -> None:
        """The process is fenced: nothing is recorded any more, so nothing runs any more."""
        self.trouble = f"writing failed: {error.strerror or error}"
        self._refuse([*waiting, *self._waiting], self.trouble)
        self._waiting.clear()
        self._settling.set()

    def _refuse(self, waiting: list[Waiting], trouble: str) -> None:
        for future, _ in waiting:
            if not future.done():
                future.set_exception(Overloaded(f"{REFUSED}: {trouble}", retry_after=RETRY_AFTER))

    def checkpoint(self) -> None:
        """Signs what is on disk, when it has grown. Safe on any thread; fences when it fails."""
        with self._signing:
            frontier = self._durable
            if frontier.size == self._signed or self.trouble or self._released:
                return
            try:
                self._sign(frontier)
            except OSError as error:
                self.trouble = f"signing a checkpoint failed: {error.strerror or error}"

    def _sign(self, frontier: merkle.Frontier) -> None:
        self._writer.sync_hashes()
        note = signed(Checkpoint(self.origin, frontier.size, frontier.root()), self._key)
        files.append_text(self.folder / files.CHECKPOINTS, note + "\n")
        files.write_whole(self.folder / files.CHECKPOINT, note)
        self._signed = frontier.size

    async def aclose(self) -> None:
        """Records the end, flushes, signs the last checkpoint, and marks the log as closed.

        A log that cannot be ended so stays open; the next start recovers it. Raises nothing
        for it: `trouble` says what happened.
        """
        if self._closed:
            return
        try:
            async with asyncio.timeout(STALLED):
                await self._end()
        except (TimeoutError, OSError, Overloaded) as error:
            self.trouble = self.trouble or f"the log could not be ended: {error}"
        finally:
            self._closed = True
            await asyncio.to_thread(self._release)

    async def _end(self) -> None:
        last = self.append(Entry("closed"))
        self._closed = True
        await last
        while self._durable.size < self._frontier.size and not self.trouble:
            self._settling.clear()
            await self._settling.wait()
        await asyncio.to_thread(self.checkpoint)
        if not self.trouble:
            files.write_whole(self.folder / files.END, f"closed {self._durable.size}\n")

    def _release(self) -> None:
        """After this a checkpoint that was still on its way finds nothing to do."""
        with self._signing:
            self._writer.stop()
            if self._lock is not None:
                os.close(self._lock)
            self._released = True
