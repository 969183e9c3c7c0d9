"""A load of tools/call over kept connections; every answer is checked."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import httptools
import httpx2
import msgspec

from mcp_gateway.wire import legacy, modern


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


@dataclass(frozen=True, slots=True)
class Session:
    """A session of the initialize era."""

    id: str

    def request(self, port: int, key: str, tool: str, text: str) -> bytes:
        """A whole tools/call of 2025-11-25."""
        params = {"name": tool, "arguments": {"text": text}}
        headers = {"mcp-protocol-version": legacy.LATEST, "mcp-session-id": self.id}
        return _post(port, key, "tools/call", params, headers)


def session(port: int, key: str) -> Session:
    """Begins a session of 2025-11-25."""
    client = {"name": "bench", "version": "1"}
    params = {"protocolVersion": legacy.LATEST, "capabilities": {}, "clientInfo": client}
    head, body = _post(port, key, "initialize", params, {}).split(b"\r\n\r\n", 1)
    lines = [line.split(": ", 1) for line in head.decode().split("\r\n")[1:]]
    headers = {name: value for name, value in lines if name != "content-length"}
    answer = httpx2.post(f"http://127.0.0.1:{port}/mcp", content=body, headers=headers)
    return Session(answer.raise_for_status().headers["mcp-session-id"])


def request(port: int, key: str, tool: str, text: str) -> bytes:
    """A whole tools/call of 2026-07-28."""
    params = {"name": tool, "arguments": {"text": text}}
    return _modern(port, key, "tools/call", params, {"mcp-name": tool})


def listing(port: int, key: str) -> bytes:
    """A whole tools/list of 2026-07-28."""
    return _modern(port, key, "tools/list", {}, {})


def _modern(
    port: int, key: str, method: str, params: dict[str, Any], named: dict[str, str]
) -> bytes:
    meta = {modern.META_VERSION: modern.REVISION, modern.META_CAPABILITIES: {}}
    headers = {"mcp-protocol-version": modern.REVISION, "mcp-method": method} | named
    return _post(port, key, method, {"_meta": meta, **params}, headers)


def _post(
    port: int, key: str, method: str, params: dict[str, Any], headers: dict[str, str]
) -> bytes:
    body = msgspec.json.encode({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
    given = {
        "host": f"127.0.0.1:{port}",
        "authorization": f"Bearer {key}",
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        **headers,
        "content-length": str(len(body)),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"POST /mcp HTTP/1.1\r\n{lines}\r\n".encode() + body


def said(text: str) -> bytes:
    """What an answer to `request` holds."""
    return b'"text":%b' % msgspec.json.encode(text)


async def run(
    port: int, message: bytes | list[bytes], wanted: bytes, calls: int, width: int
) -> Measured:
    """`calls` calls by `width` connections, which take turns where there are several messages.

    Raises ValueError for an answer without `wanted`.
    """
    loop = asyncio.get_running_loop()
    callers = [(await loop.create_connection(Caller, "127.0.0.1", port))[1] for _ in range(width)]
    latencies: list[float] = []

    messages = message if isinstance(message, list) else [message]

    async def one(caller: Caller, message: bytes) -> None:
        for _ in range(calls // width):
            started = time.perf_counter()
            answer = await caller.call(message)
            latencies.append(time.perf_counter() - started)
            if b'"id":7,"result"' not in answer or wanted not in answer:
                raise ValueError(f"a wrong answer: {answer[:300]!r}")

    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number, caller in enumerate(callers):
            group.create_task(one(caller, messages[number % len(messages)]))
    measured = Measured(time.perf_counter() - started, latencies)
    for caller in callers:
        caller.transport.close()
    return measured
