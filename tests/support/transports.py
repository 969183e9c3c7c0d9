"""A transport without a network: what is written is kept, and a test plays the server."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from mcp_gateway.wire.connection import Connection, Response


class FakeTransport(asyncio.Transport):
    """Ends as real ones do: its protocol hears of it on the loop's next turn."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self.written = b""
        self.reading = True
        self.unsent = 0
        self._connection = connection
        self._closing = False
        connection.connection_made(self)

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return self._closing

    def abort(self) -> None:
        if not self._closing:
            self._closing = True
            asyncio.get_running_loop().call_soon(self._connection.connection_lost, None)

    close = abort

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def get_write_buffer_size(self) -> int:
        return self.unsent


@dataclass
class Owner:
    """Who lends a connection out, and hears of its end."""

    back: list[Connection] = field(default_factory=list)
    gone: list[Connection] = field(default_factory=list)
    transport: FakeTransport = field(init=False)

    def released(self, connection: Connection) -> None:
        self.back.append(connection)

    def lost(self, connection: Connection) -> None:
        self.gone.append(connection)


def connected() -> tuple[Connection, Owner]:
    owner = Owner()
    connection = Connection(owner, 100)
    owner.transport = FakeTransport(connection)
    return connection, owner


def soon() -> float:
    return asyncio.get_running_loop().time() + 5.0


async def streamed(connection: Connection, raw: bytes) -> Response:
    """The response of an exchange in which the server says this."""
    asyncio.get_running_loop().call_soon(connection.data_received, raw)
    return await connection.exchange(b"x", b"", soon(), bodiless=False, streamed=False)
