"""Reading the ledger: every entry of every log, in the order of time."""

import heapq
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mcp_gateway.ledger import files
from mcp_gateway.wire import jsonrpc

Line = dict[str, Any]


def entries(ledger: Path) -> Iterator[Line]:
    """Every sound entry, the oldest first. A live log ends where its writer is."""
    yield from heapq.merge(*map(_of, files.logs(ledger)), key=lambda line: int(line["time"]))


def _of(log: Path) -> Iterator[Line]:
    for _, found in files.read_frames(log):
        if not found.sound:
            return
        yield jsonrpc.decode(found.payload)


def of_call(ledger: Path, call: str) -> list[Line]:
    """The entries of one call."""
    return [line for line in entries(ledger) if line.get("call") == call]


def matching(ledger: Path, wanted: Mapping[str, str], since: int = 0) -> Iterator[Line]:
    """The entries whose fields hold these texts; `since` is in microseconds of Unix time."""
    for line in entries(ledger):
        if line["time"] >= since and all(
            text in str(line.get(field, "")) for field, text in wanted.items()
        ):
            yield line
