"""The cheapest MCP server that can be: `python -m tests.bench.echo_upstream PORT [TOOLS [legacy]]`.

With `legacy` it is one of 2025-11-25, with a session.
"""

import asyncio
import sys
from typing import Any

import httptools
import msgspec
import uvloop

PROPERTIES = {f"field_{n}": {"type": "string", "description": "x" * 40} for n in range(4)}
TOOLS: list[dict[str, Any]] = [{"name": "echo", "inputSchema": {"type": "object"}}]


def listed(count: int) -> bytes:
    """A list of so many tools, half a kilobyte each but the first."""
    schema = {"type": "object", "properties": PROPERTIES}
    more = [
        {"name": f"tool_{n}", "description": "what it does " * 6, "inputSchema": schema}
        for n in range(1, count)
    ]
    return msgspec.json.encode(
        {"resultType": "complete", "ttlMs": 0, "cacheScope": "private", "tools": [*TOOLS, *more]}
    )


LIST = listed(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
LEGACY = sys.argv[3:] == ["legacy"]


class Message(msgspec.Struct):
    """What is read of a request."""

    id: msgspec.Raw = msgspec.Raw(b"null")
    method: str = ""
    params: dict[str, Any] = {}


class Echo(asyncio.Protocol):
    """Answers each POST with what it says."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.parser = httptools.HttpRequestParser(self)
        self.body = b""
        self.decoder = msgspec.json.Decoder(Message)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        body, self.body = self.body, b""
        if self.parser.get_method() != b"POST":
            return self._write(b"405 Method Not Allowed", b"")
        message = self.decoder.decode(body)
        if message.method.startswith("notifications/"):
            return self._write(b"202 Accepted", b"")
        result = _older(message) if LEGACY else _modern(message)
        kind = b"result" if result else b"error"
        result = result or b'{"code":-32601,"message":"there is no such method"}'
        self._write(b"200 OK", b'{"jsonrpc":"2.0","id":%b,"%b":%b}' % (message.id, kind, result))
        return None

    def _write(self, status: bytes, payload: bytes) -> None:
        session = b"mcp-session-id: only\r\n" if LEGACY else b""
        head = b"HTTP/1.1 %b\r\n%bcontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        self.transport.write(head % (status, session, len(payload)) + payload)


def _modern(message: Message) -> bytes:
    if message.method == "tools/call":
        return msgspec.json.encode({"resultType": "complete", "content": _content(message)})
    if message.method == "tools/list":
        return LIST
    if message.method == "server/discover":
        return b'{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{}}'
    return b"{}"


def _older(message: Message) -> bytes:
    if message.method == "tools/call":
        return msgspec.json.encode({"content": _content(message)})
    if message.method == "tools/list":
        return LIST
    if message.method == "initialize":
        return (
            b'{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},'
            b'"serverInfo":{"name":"echo","version":"1"}}'
        )
    return b"{}" if message.method == "ping" else b""


def _content(message: Message) -> list[dict[str, str]]:
    return [{"type": "text", "text": message.params["arguments"]["text"]}]


async def main(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
