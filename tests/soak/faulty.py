"""An upstream with a fault in each of its tools, at the level of bytes."""

import asyncio
import json
from typing import Any, Final

TOOLS: Final = ("hang_up", "garbage", "error", "unavailable", "silent", "held")
_DISCOVERED: Final = {
    "resultType": "complete",
    "supportedVersions": ["2026-07-28"],
    "capabilities": {"tools": {}},
}


class Faulty:
    """What it answers to a request; `held` calls tell that they have arrived, and wait."""

    def __init__(self) -> None:
        self._expected: dict[str, asyncio.Event] = {}

    def expect(self, text: str) -> asyncio.Event:
        """Set when the call with this text arrives."""
        self._expected[text] = asyncio.Event()
        return self._expected[text]

    def answer(self, request: bytes) -> bytes:
        """Nothing at all keeps the caller waiting."""
        message = json.loads(request.partition(b"\r\n\r\n")[2])
        match message["method"]:
            case "server/discover":
                return _result(message, _DISCOVERED)
            case "tools/list":
                tools = [{"name": name, "inputSchema": {"type": "object"}} for name in TOOLS]
                return _result(message, {"resultType": "complete", "tools": tools})
            case "tools/call":
                return self._called(message)
            case _:
                return _error(message, -32601, "there are only tools here", "404 Not Found")

    def _called(self, message: dict[str, Any]) -> bytes:
        match message["params"]["name"]:
            case "hang_up":
                return b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\ncut short"
            case "garbage":
                return _http("200 OK", b"{this is no JSON")
            case "unavailable":
                return _http("503 Service Unavailable", b"<html>try later</html>", "text/html")
            case "error":
                return _error(message, -32099, "the upstream's own words")
            case "held":
                self._expected.pop(message["params"]["arguments"]["text"]).set()
        return b""


def _result(message: dict[str, Any], result: dict[str, Any]) -> bytes:
    answer = {"jsonrpc": "2.0", "id": message["id"], "result": result}
    return _http("200 OK", json.dumps(answer).encode())


def _error(message: dict[str, Any], code: int, text: str, status: str = "200 OK") -> bytes:
    error = {"code": code, "message": text}
    return _http(
        status, json.dumps({"jsonrpc": "2.0", "id": message["id"], "error": error}).encode()
    )


def _http(status: str, body: bytes, media: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: {media}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body
