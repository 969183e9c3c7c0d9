"""Following: the entries of a ledger as they come, each once, without reading it all again."""

import heapq
from collections.abc import Iterator
from pathlib import Path

from mcp_gateway.ledger import files
from mcp_gateway.ledger.frame import HEADER, frames
from mcp_gateway.ledger.reader import Line
from mcp_gateway.wire import jsonrpc


class Following:
    """Remembers how far each log was read. Logs that begin later are read too."""

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger
        self._read: dict[Path, tuple[str, int]] = {}
        """The name of the segment, and the byte in it, where a log is read on."""

    def fresh(self) -> Iterator[Line]:
        """The entries since the last time, the oldest first."""
        fresh = [list(self._of(log)) for log in files.logs(self._ledger)]
        yield from heapq.merge(*fresh, key=lambda line: int(line["time"]))

    def _of(self, log: Path) -> Iterator[Line]:
        name, offset = self._read.get(log, ("", 0))
        for segment in sorted(log.glob(files.SEGMENTS)):
            if segment.name < name:
                continue
            at = offset if segment.name == name else 0
            for found in frames(segment.read_bytes()[at:]):
                if not found.sound:  # its writer is at work
                    return
                size = HEADER.size + len(found.payload)
                self._read[log] = segment.name, at + found.offset + size + (-size % 8)
                yield jsonrpc.decode(found.payload)
