"""Denials: how one call ended, found without reading the whole ledger."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mcp_gateway.ledger import files
from mcp_gateway.ledger.frame import HEADER, LARGEST, frames
from mcp_gateway.ledger.reader import Line
from mcp_gateway.wire import jsonrpc

IN_TIME: Final = 600_000
"""Milliseconds after its beginning within which a call is expected to have ended."""
SLACK: Final = 2_000
"""Milliseconds by which the time of a file may be behind."""
_ID: Final = re.compile(r"([0-9a-f]{11})[0-9a-f]{16}")


def outcome_of(ledger: Path, call: str) -> Line | None:
    """The outcome of a call. Blocks.

    Its id says when it began: whoever asks costs what was recorded about that time, and not what
    was ever recorded.
    """
    match = _ID.fullmatch(call)
    if match is None:
        return None
    began, wanted = int(match[1], 16), call.encode()
    for segment in _about(ledger, began):
        for found in frames(segment.read_bytes()):
            if not found.sound:
                break
            if wanted in found.payload:
                line: Line = jsonrpc.decode(found.payload)
                if line["kind"] == "outcome" and line["call"] == call:
                    return line
    return None


def _about(ledger: Path, began: int) -> Iterator[Path]:
    """The segments that may hold entries of that time: written to since, and begun before."""
    for log in files.logs(ledger):
        for segment in sorted(log.glob(files.SEGMENTS)):
            if segment.stat().st_mtime * 1000 + SLACK < began:
                continue
            if _first(segment) <= began + IN_TIME:
                yield segment


def _first(segment: Path) -> float:
    """When the first entry was written, in milliseconds of Unix time; never, if there is none."""
    with segment.open("rb") as file:
        found = next(frames(file.read(HEADER.size + LARGEST)), None)
    if found is None or not found.sound:
        return float("inf")
    return float(jsonrpc.decode(found.payload)["time"]) / 1000
