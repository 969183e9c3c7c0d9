"""Bytes that are held until somebody has looked at them: in memory, then in a nameless file."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

PIECE: Final = 256 * 1024


class Spill:
    """What was written, to be read again. A file has no name: nothing is left of it, ever."""

    def __init__(self, folder: Path, buffer: int) -> None:
        """Up to `buffer` bytes stay in memory; of more all lie in a file in `folder`."""
        self._file = tempfile.SpooledTemporaryFile(buffer, dir=str(folder))  # noqa: SIM115
        self.size = 0

    async def write(self, data: bytes) -> None:
        """Raises OSError when the disk takes no more."""
        self.size += len(data)
        await asyncio.to_thread(self._file.write, data)

    async def whole(self) -> bytes:
        """All of it, in memory."""
        return await asyncio.to_thread(self._read, 0, self.size)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """All of it, in pieces."""
        at = 0
        while piece := await asyncio.to_thread(self._read, at, PIECE):
            yield piece
            at += len(piece)

    def close(self) -> None:
        """Gives memory and disk back. May be called again."""
        self._file.close()

    def _read(self, at: int, size: int) -> bytes:
        self._file.seek(at)
        return self._file.read(size)
