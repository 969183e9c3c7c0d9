"""Log: appends entries, shares each flush among all that wait, and signs checkpoints."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Generator
from pathlib import Path
from typing import Any, Final, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mcp_gateway.core.entry import Entry, Receipt
from mcp_gateway.core.errors import Overloaded
from mcp_gateway.ledger import files, merkle
from mcp_gateway.ledger.commitment import Commitments
from mcp_gateway.ledger.frame import frame
from mcp_gateway.ledger.note import Checkpoint, signed, verifier_line
from mcp_gateway.ledger.writer import Writer
from mcp_gateway.wire import jsonrpc

Durability = Literal["flushed", "written"]
SCHEMA: Final = 1
MOST_WAITING: Final = 10_000
STALLED: Final = 5.0
"""Seconds after which a flush that has not come back stops new calls."""
SPREAD: Final = 0.05
"""Seconds within which `written` entries are flushed."""


class Written:
    """An awaitable that is there already."""

    __slots__ = ("_receipt",)

    def __init__(self, receipt: Receipt) -> None:
        self._receipt = receipt

    def __await__(self) -> Generator[None, None, Receipt]:
        return self._receipt
        yield  # makes this a generator, which an awaitable has to return


class Log:
    """One log of one process. Implements `ports.Ledger`.

    `flushed` resolves an append once it is on disk; `written` once the operating system has it,
    and flushes within 50 ms: that survives a crash of the process, not of the machine.
    """

    def __init__(
        self,
        folder: Path,
        origin: str,
        key: Ed25519PrivateKey,
        commitments: Commitments,
        *,
        durability: Durability = "flushed",
        segment_size: int = files.SEGMENT_SIZE,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.folder = folder
        self.origin = origin
        self.trouble = ""
        self._key = key
        self._commitments = commitments
        self._written = durability == "written"
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._writer = Writer(folder, segment_size)
        self._hashes = os.open(folder / files.HASHES, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._frontier = merkle.Frontier()
        self._durable = merkle.Frontier()
        self._signed = -1
        self._batch: list[bytes] = []
        self._leaves: list[bytes] = []
        self._waiting: list[tuple[asyncio.Future[Receipt], int]] = []
        self._flushing = 0.0
        self._due = False
        self._settling = asyncio.Event()
        self._closed = False
        (folder / files.PUBLIC_KEY).write_text(verifier_line(origin, key) + "\n", "utf-8")

    @property
    def healthy(self) -> bool:
        return not self._refusal()

    @property
    def size(self) -> int:
        """How many entries were appended."""
        return self._frontier.size

    def append(self, entry: Entry) -> Awaitable[Receipt]:
        """Resolves to the receipt once the entry is as durable as configured.

        Raises Overloaded, here or when awaited, if it cannot be made so.
        """
        if trouble := self._refusal():
            raise Overloaded(f"the gateway cannot record this call: {trouble}", retry_after=5)
        index = self._frontier.size
        payload = self._payload(entry, index)
        framed = frame(payload)
        leaf = merkle.leaf_hash(payload)
        self._frontier.append(leaf)
        self._leaves.append(leaf)
        if self._written:
            return self._hand_over(framed, Receipt(self.origin, index))
        self._batch.append(framed)
        future: asyncio.Future[Receipt] = self._loop.create_future()
        self._waiting.append((future, index))
        if not self._flushing:
            self._flush()
        return future

    def _hand_over(self, framed: bytes, receipt: Receipt) -> Awaitable[Receipt]:
        """Durability `written`: no thread is waited for, and the flush comes within 50 ms."""
        try:
            self._writer.write(framed)
        except OSError as error:
            self._poison(error, [])
            raise Overloaded(f"the gateway cannot record this call: {self.trouble}") from None
        if not self._due:
            self._due = True
            self._loop.call_later(SPREAD, self._flush)
        return Written(receipt)

    def _payload(self, entry: Entry, index: int) -> bytes:
        body: dict[str, Any] = {
            **entry.body,
            "v": SCHEMA,
            "log": self.origin,
            "index": index,
            "time": self._clock() // 1000,
            "kind": entry.kind,
        }
        if entry.call:
            body["call"] = entry.call
        if entry.content:
            body["commit"] = self._commitments.of(
                entry.subject, entry.call, entry.kind, entry.content
            )
        return jsonrpc.canonical(body)

    def _refusal(self) -> str:
        if self.trouble:
            return self.trouble
        if self._closed:
            return "the ledger is closed"
        if len(self._waiting) >= MOST_WAITING:
            return "too many entries wait for the disk"
        if self._flushing and self._loop.time() - self._flushing > STALLED:
            return "the disk does not answer"
        return ""

    def _flush(self) -> None:
        """Hands everything that waits to the writer, in one batch."""
        self._due = False
        self._flushing = self._loop.time()
        batch, self._batch = self._batch, []
        leaves, self._leaves = self._leaves, []
        waiting, self._waiting = self._waiting, []
        frontier = self._frontier.copy()

        def done(error: OSError | None) -> None:
            self._loop.call_soon_threadsafe(self._flushed, error, waiting, leaves, frontier)

        self._writer.submit(b"".join(batch), tuple(map(len, batch)), done)

    def _flushed(
        self,
        error: OSError | None,
        waiting: list[tuple[asyncio.Future[Receipt], int]],
        leaves: list[bytes],
        frontier: merkle.Frontier,
    ) -> None:
        self._flushing = 0.0
        if error is not None:
            self._poison(error, waiting)
            return
        os.write(self._hashes, b"".join(leaves))
        self._durable = frontier
        self._settling.set()
        for future, index in waiting:
            if not future.done():
                future.set_result(Receipt(self.origin, index))
        if self._batch:
            self._flush()

    def _poison(self, error: OSError, waiting: list[tuple[asyncio.Future[Receipt], int]]) -> None:
        """The process is fenced: nothing is recorded any more, so nothing runs any more."""
        self.trouble = f"writing failed: {error.strerror or error}"
        refused = Overloaded(f"the gateway cannot record this call: {self.trouble}")
        for future, _ in [*waiting, *self._waiting]:
            if not future.done():
                future.set_exception(refused)
        self._waiting.clear()

    def checkpoint(self) -> None:
        """Signs what is on disk, when it has grown. Called every second, and at the end."""
        frontier = self._durable
        if frontier.size == self._signed or self.trouble:
            return
        os.fdatasync(self._hashes)
        note = signed(Checkpoint(self.origin, frontier.size, frontier.root()), self._key)
        with (self.folder / files.CHECKPOINTS).open("a", encoding="utf-8") as file:
            file.write(note + "\n")
            file.flush()
            os.fsync(file.fileno())
        files.write_whole(self.folder / files.CHECKPOINT, note)
        self._signed = frontier.size

    async def _settled(self) -> None:
        """Waits, within a bound, until everything that was appended is on disk."""
        async with asyncio.timeout(STALLED):
            while self._durable.size < self._frontier.size and not self.trouble:
                self._settling = asyncio.Event()
                await self._settling.wait()

    async def aclose(self) -> None:
        """Records the end, flushes, signs the last checkpoint, and marks the log as closed."""
        if self._closed:
            return
        if not self.trouble:
            await self.append(Entry("closed"))
            await self._settled()
            self.checkpoint()
            files.write_whole(self.folder / files.END, f"closed {self._durable.size}\n")
        self._closed = True
        self._writer.stop()
        os.close(self._hashes)
