"""A load of tools/call over kept connections; every answer is checked."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import httptools
import msgspec

from mcp_gateway.wire import modern


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds of the whole, and of each call."""

    seconds: float
    latencies: list[float]

    def quantile(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Caller(asyncio.Protocol):
    """One connection, one call at a time."""

    def __init__(self) -> None:
        self.waiter: asyncio.Future[bytes] | None = None
        self.body: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.parser = httptools.HttpResponseParser(self)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        self.body.append(data)

    def on_message_complete(self) -> None:
        body = b"".join(self.body)
        self.body = []
        if self.parser.get_status_code() != 200:
            body = b"HTTP %d: %b" % (self.parser.get_status_code(), body[:200])
        self.parser = httptools.HttpResponseParser(self)
        if self.waiter:
            self.waiter.set_result(body)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's own
        if self.waiter and not self.waiter.done():
            self.waiter.set_exception(ConnectionResetError("the connection was lost"))

    async def call(self, request: bytes) -> bytes:
        self.waiter = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self.waiter


def request(port: int, key: str, tool: str, text: str) -> bytes:
    """A whole tools/call of 2026-07-28."""
    meta = {modern.META_VERSION: modern.REVISION, modern.META_CAPABILITIES: {}}
    params = {"_meta": meta, "name": tool, "arguments": {"text": text}}
    body = msgspec.json.encode(
        {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}
    )
    head = (
        f"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {key}\r\n"
        "content-type: application/json\r\naccept: application/json, text/event-stream\r\n"
        f"mcp-protocol-version: {modern.REVISION}\r\nmcp-method: tools/call\r\n"
        f"mcp-name: {tool}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def listing(port: int, key: str) -> bytes:
    """A whole tools/list of 2026-07-28."""
    meta = {modern.META_VERSION: modern.REVISION, modern.META_CAPABILITIES: {}}
    body = msgspec.json.encode(
        {"jsonrpc": "2.0", "id": 7, "method": "tools/list", "params": {"_meta": meta}}
    )
    head = (
        f"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {key}\r\n"
        "content-type: application/json\r\naccept: application/json, text/event-stream\r\n"
        f"mcp-protocol-version: {modern.REVISION}\r\nmcp-method: tools/list\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def said(text: str) -> bytes:
    """What an answer to `request` holds."""
    return b'"text":%b' % msgspec.json.encode(text)


async def run(port: int, message: bytes, wanted: bytes, calls: int, width: int) -> Measured:
    """`calls` calls by `width` connections. Raises ValueError for an answer without `wanted`."""
    loop = asyncio.get_running_loop()
    callers = [(await loop.create_connection(Caller, "127.0.0.1", port))[1] for _ in range(width)]
    latencies: list[float] = []

    async def one(caller: Caller) -> None:
        for _ in range(calls // width):
            started = time.perf_counter()
            answer = await caller.call(message)
            latencies.append(time.perf_counter() - started)
            if b'"id":7,"result"' not in answer or wanted not in answer:
                raise ValueError(f"a wrong answer: {answer[:300]!r}")

    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for caller in callers:
            group.create_task(one(caller))
    measured = Measured(time.perf_counter() - started, latencies)
    for caller in callers:
        caller.transport.close()
    return measured
