"""Joined writes: what one turn of the loop writes to a connection leaves in one system call."""

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST: Final = 64 * 1024
"""Bytes that wait for the end of a turn; more leave at once."""


class JoinedProtocol(HttpToolsProtocol):
    """uvicorn's, which writes the head of an answer and its body apart."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are streams without being asyncio's own class.
        super().connection_made(Joined(cast("asyncio.Transport", transport), self.loop))


class Joined(asyncio.Transport):
    """A transport that holds back what is written until the loop's next turn begins."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []
        self._size = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._held:
            self._loop.call_soon(self._flush)
        self._held.append(bytes(data))
        self._size += len(data)
        if self._size > MOST:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        self._held.clear()
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def get_write_buffer_size(self) -> int:
        return self._size + self._transport.get_write_buffer_size()

    def _flush(self) -> None:
        held, self._held, self._size = self._held, [], 0
        if held and not self._transport.is_closing():
            self._transport.write(held[0] if len(held) == 1 else b"".join(held))
