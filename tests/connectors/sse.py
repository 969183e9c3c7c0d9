"""Upstreams of HTTP+SSE in plain bytes: they take part as they should, then do what a test says."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from connectors.mcp_sse import McpSse, SseConfig
from mcp_gateway.wire import jsonrpc
from tests.connectors.conftest import Around
from tests.connectors.http import EVENTS, Asked, read
from tests.support.tcp import plain, read_request, tcp_server

ACCEPTED = plain(b"", status=b"202 Accepted")
Say = Callable[[Asked], bytes]
"""The events that answer what was posted; nothing said is a caller kept waiting."""


@dataclass
class Stream:
    """A listening upstream. `begins` is what its streams begin with."""

    begins: bytes = b"event: endpoint\ndata: /messages?session=1\n\n"
    taken: bytes = ACCEPTED
    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    streams: list[asyncio.StreamWriter] = field(default_factory=list)

    def of(self, method: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.method == method]

    def say(self, *messages: bytes) -> None:
        """Says this on the latest stream."""
        for message in messages:
            self.streams[-1].write(b"event: message\ndata: %b\n\n" % message)


@asynccontextmanager
async def sse_upstream(say: Say, **fields: Any) -> AsyncIterator[Stream]:
    """`say` answers the calls that are posted, on the stream."""
    found = Stream(**fields)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            asked = read(await read_request(reader))
            if asked.verb == "GET":
                found.streams.append(writer)
                writer.write(EVENTS + found.begins)
                await reader.read(1)
                return
            found.asked.append(asked)
            writer.write(found.taken)
            if said := _taking_part(asked) or say(asked):
                found.streams[-1].write(said)

    async with tcp_server(serve) as server:
        found.url = f"{server.url}/sse" if not server.url.endswith("/") else f"{server.url}sse"
        yield found


@asynccontextmanager
async def connected(around: Around, url: str, **config: Any) -> AsyncIterator[McpSse]:
    connector = await McpSse.open("up", SseConfig(url=url, **config), around.services)
    try:
        yield connector
    finally:
        await connector.aclose()


def event(message: bytes) -> bytes:
    return b"data: %b\n\n" % message


def _taking_part(asked: Asked) -> bytes:
    if asked.method != "initialize":
        return b""
    content = {"protocolVersion": "2024-11-05", "capabilities": {"tools": {}}}
    return event(jsonrpc.result(asked.id, jsonrpc.encode(content)))
