"""The cheapest MCP server that can be: `python -m tests.bench.echo_upstream PORT [TOOLS]`."""

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
        message = self.decoder.decode(self.body)
        self.body = b""
        payload = b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (message.id, _result(message))
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        self.transport.write(head % len(payload) + payload)


def _result(message: Message) -> bytes:
    if message.method == "tools/call":
        text = message.params["arguments"]["text"]
        item = {"type": "text", "text": text}
        return msgspec.json.encode({"resultType": "complete", "content": [item]})
    if message.method == "tools/list":
        return LIST
    if message.method == "server/discover":
        return b'{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{}}'
    return b"{}"


async def main(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
