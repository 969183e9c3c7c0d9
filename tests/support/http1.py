"""An application served by the gateway's HTTP/1.1, on a real socket, and callers of plain bytes."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
import uvicorn

from mcp_gateway.edge import asgi, http1
from mcp_gateway.edge.asgi import Receive, Scope, Send
from tests.support.certificates import Pair
from tests.support.gateway import Quiet
from tests.support.waiting import until

App = Callable[[Scope, Receive, Send], Awaitable[None]]
BOUND: Final = 10.0
BACKENDS: Final = [
    pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
    pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"),
]


@dataclass
class Caller:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def say(self, *data: bytes) -> None:
        self.writer.write(b"".join(data))

    async def line(self) -> bytes:
        async with asyncio.timeout(BOUND):
            return await self.reader.readuntil(b"\r\n")

    async def head(self) -> bytes:
        async with asyncio.timeout(BOUND):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def answer(self) -> tuple[int, bytes]:
        """Status and body of an answer that tells its length."""
        head = (await self.head()).lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        async with asyncio.timeout(BOUND):
            return int(head[9:12]), await self.reader.readexactly(length)

    async def rest(self) -> bytes:
        """All that comes until the connection ends."""
        async with asyncio.timeout(BOUND):
            return await self.reader.read()

    def leave(self) -> None:
        self.writer.transport.abort()


@dataclass
class Serving:
    """A server in this process. `seen` are the paths that the application was asked for."""

    server: uvicorn.Server
    port: int
    seen: list[str] = field(default_factory=list)
    callers: list[Caller] = field(default_factory=list)

    @property
    def connections(self) -> list[Any]:
        return list(self.server.server_state.connections)

    async def caller(self, *data: bytes, **options: Any) -> Caller:
        found = Caller(*await asyncio.open_connection("127.0.0.1", self.port, **options))
        self.callers.append(found)
        found.say(*data)
        return found

    async def taken(self, connected: socket.socket, *data: bytes) -> Caller:
        """A caller on a socket that is connected already, and reads no more than it is asked to."""
        connected.setblocking(False)
        found = Caller(*await asyncio.open_connection(sock=connected, limit=4096))
        self.callers.append(found)
        found.say(*data)
        return found

    def later(self, seconds: float) -> None:
        """Tells every connection that it is so much later than when it last was looked at."""
        for connection in self.connections:
            connection.tick(connection._since + seconds)


@asynccontextmanager
async def serving(app: App, tls: Pair | None = None) -> AsyncIterator[Serving]:
    """Starts a server for the application; ends it, and every caller."""

    async def noted(scope: Scope, receive: Receive, send: Send) -> None:
        found.seen.append(scope["path"])
        await app(scope, receive, send)

    config = uvicorn.Config(
        noted,
        host="127.0.0.1",
        port=0,
        http=http1.protocol(),
        ws="none",
        lifespan="off",
        log_config=None,
        server_header=False,
        ssl_certfile=tls.certificate if tls else None,
        ssl_keyfile=tls.key if tls else None,
    )
    server = Quiet(config)
    task = asyncio.get_running_loop().create_task(server.serve())
    await until(lambda: server.started and server.server_state.default_headers)
    found = Serving(server, server.servers[0].sockets[0].getsockname()[1])
    try:
        yield found
    finally:
        for caller in found.callers:
            caller.leave()
        server.should_exit = True
        async with asyncio.timeout(BOUND):
            await task


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Says in JSON what it was asked."""
    body = await asgi.read_body(receive, 1 << 30)
    said = {
        "method": scope["method"],
        "path": scope["path"],
        "query": scope["query_string"].decode("latin-1"),
        "headers": [[n.decode("latin-1"), v.decode("latin-1")] for n, v in scope["headers"]],
        "body": body.decode("latin-1") if len(body) < 10_000 else len(body),
    }
    await asgi.respond(send, 200, json.dumps(said).encode())


def get(path: str = "/", *lines: str) -> bytes:
    head = [f"GET {path} HTTP/1.1", "host: a", *lines, "", ""]
    return "\r\n".join(head).encode("latin-1")


def post(*lines: str, body: bytes = b"", path: str = "/") -> bytes:
    head = [f"POST {path} HTTP/1.1", "host: a", *lines, "", ""]
    return "\r\n".join(head).encode("latin-1") + body
