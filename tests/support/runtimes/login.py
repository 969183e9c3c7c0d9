"""A runtime's own log-in: it prints an address, a browser goes there, and comes back to it."""

import asyncio
import os
import pty
import re
import signal
from collections.abc import Awaitable, Callable
from typing import Final

from tests.support.runtimes.programs import BOUND, Shell

_ADDRESS: Final = re.compile(rb"(https?://[^\s\x1b\x07]+[?&]code_challenge=[^\s\x1b\x07]+)")
_WIDE: Final = {"TERM": "xterm", "COLUMNS": "4000"}


async def log_in(
    shell: Shell, *words: str, visit: Callable[[str], Awaitable[None]], **variables: str
) -> tuple[int, str]:
    """Runs a command on a terminal and visits the address that it shows.

    Returns how it ended and what it showed. Raises TimeoutError, having ended it.
    """
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *words,
        cwd=shell.home,
        env=shell.environment({**_WIDE, **variables}),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        async with asyncio.timeout(BOUND):
            shown = await _shown(ours, visit)
            return await process.wait(), shown
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


async def _shown(terminal: int, visit: Callable[[str], Awaitable[None]]) -> str:
    """All that is shown, until the program is gone."""
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    pipe = os.fdopen(terminal, "rb", buffering=0)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, pipe)
    shown, visited = b"", False
    try:
        while piece := await _piece(reader):
            shown += piece
            address = _ADDRESS.search(shown)
            if address and not visited and address.end() < len(shown):
                visited = True
                await visit(address[1].decode())
    finally:
        transport.close()
    return shown.decode("utf-8", "replace")


async def _piece(reader: asyncio.StreamReader) -> bytes:
    """A terminal whose program has gone is an error to read on Linux."""
    try:
        return await reader.read(4096)
    except OSError:
        return b""
