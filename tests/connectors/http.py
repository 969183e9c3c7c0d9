"""Upstreams of plain bytes: they take part as they should, and then do what a test says."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from connectors.mcp_http import HttpConfig, McpHttp
from mcp_gateway.core.credential import Credential
from mcp_gateway.core.target import Target
from mcp_gateway.wire import jsonrpc
from mcp_gateway.wire.modern import META_CAPABILITIES, META_LOG_LEVEL
from tests.connectors.conftest import Around
from tests.support.calls import call
from tests.support.tcp import plain, read_request, tcp_server

Era = Literal["modern", "legacy", ""]
JSON = b"content-type: application/json"
EVENTS = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
CLOSE = b"!"
"""What begins with it is said without it, and followed by the end of the connection."""
HELLO = "hello"
ERAS = pytest.mark.parametrize("era", ["modern", "legacy"])
ECHO = Target("tool", "up", "echo")
KEY = Credential("static:up", (("authorization", "Bearer s3cr3t-k3y"),))


@dataclass
class Asked:
    """One request, as it came."""

    head: Mapping[str, str]
    message: Mapping[str, Any]
    verb: str = "POST"
    writer: asyncio.StreamWriter | None = None

    def say(self, message: bytes, id_: str = "") -> None:
        """Says this on the stream that answers the request."""
        assert self.writer is not None
        named = b"id: %b\n" % id_.encode() if id_ else b""
        self.writer.write(named + b"data: %b\n\n" % message)

    def end(self) -> None:
        """Ends the event that was begun."""
        assert self.writer is not None
        self.writer.write(b"\n\n")

    def close(self) -> None:
        assert self.writer is not None
        self.writer.close()

    @property
    def method(self) -> str:
        return str(self.message.get("method", ""))

    @property
    def id(self) -> bytes:
        return jsonrpc.encode(self.message.get("id"))


@dataclass
class Raw:
    """A listening upstream. `left` are the requests whose callers hung up before an answer.

    `ended` are the sessions that were ended, each time that they were.
    """

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    left: list[Asked] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    def of(self, method: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.method == method]


Say = Callable[[Asked], bytes]


@asynccontextmanager
async def raw_upstream(say: Say, era: Era = "modern", session: str = "s-1") -> AsyncIterator[Raw]:
    """`say` answers what is not of the taking part; nothing said is a caller kept waiting.

    `era` of "" leaves the taking part to `say` too.
    """
    found = Raw()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            asked = read(await read_request(reader))
            if asked.verb == "DELETE":
                found.ended.append(asked.head["mcp-session-id"])
                writer.write(plain(b""))
                continue
            asked.writer = writer
            found.asked.append(asked)
            said = (taking_part(asked, era, session) if era else b"") or say(asked)
            writer.write(said.removeprefix(CLOSE))
            await writer.drain()
            if said.startswith(CLOSE):
                return
            if not said and not await reader.read(1):
                found.left.append(asked)
                return

    async with tcp_server(serve) as server:
        found.url = server.url
        yield found


@asynccontextmanager
async def connected(around: Around, url: str, **config: Any) -> AsyncIterator[McpHttp]:
    connector = await McpHttp.open("up", HttpConfig(url=url, **config), around.services)
    try:
        yield connector
    finally:
        await connector.aclose()


def read(request: bytes) -> Asked:
    head, _, body = request.partition(b"\r\n\r\n")
    lines = [line.split(b": ", 1) for line in head.split(b"\r\n")[1:]]
    named = {name.decode().lower(): value.decode("latin-1") for name, value in lines}
    verb = head.partition(b" ")[0].decode()
    return Asked(named, jsonrpc.decode(body) if body else {}, verb)


def taking_part(asked: Asked, era: Era, session: str) -> bytes:
    """What a sound server of an era says before there are calls."""
    if asked.method == "server/discover":
        return discovered(asked) if era == "modern" else plain(b"no", status=b"400 Bad Request")
    if asked.method == "initialize":
        return initialized(asked, session=session)
    if asked.method.startswith("notifications/") and era == "legacy":
        return plain(b"", status=b"202 Accepted")
    return b""


def discovered(asked: Asked) -> bytes:
    return result(
        asked,
        {
            "resultType": "complete",
            "supportedVersions": ["2026-07-28"],
            "capabilities": {"tools": {}},
            "ttlMs": 0,
            "cacheScope": "private",
        },
    )


def initialized(asked: Asked, *, session: str = "", revision: Any = "2025-11-25") -> bytes:
    content = {"protocolVersion": revision, "capabilities": {"tools": {}}}
    more = [b"mcp-session-id: " + session.encode()] if session else []
    return result(asked, content, *more)


def result(asked: Asked, content: Any, *headers: bytes) -> bytes:
    return plain(jsonrpc.result(asked.id, jsonrpc.encode(content)), JSON, *headers)


def error(asked: Asked, code: int, status: bytes = b"200 OK", message: str = "no") -> bytes:
    return plain(jsonrpc.error(asked.id, code, message), JSON, status=status)


def text(asked: Asked, said: str) -> bytes:
    return result(asked, {"content": [{"type": "text", "text": said}]})


def events(*messages: bytes) -> bytes:
    """A stream of events that ends with its connection."""
    return CLOSE + EVENTS + b"".join(b"data: %b\n\n" % message for message in messages)


def answer_of(asked: Asked, said: str = "done") -> bytes:
    content = {"content": [{"type": "text", "text": said}]}
    return jsonrpc.result(asked.id, jsonrpc.encode(content))


def echo(credential: Credential = KEY, **fields: Any) -> Any:
    """A call of the tool `echo`. `token`, `level` and `able` are what its `_meta` says."""
    params: dict[str, Any] = {"name": "up__echo", "arguments": {"text": "hello"}}
    named = {"token": "progressToken", "level": META_LOG_LEVEL, "able": META_CAPABILITIES}
    meta = {name: fields.pop(given) for given, name in named.items() if given in fields}
    target = fields.pop("target", ECHO)
    made = call(
        params={**params, **fields.pop("more", {}), **({"_meta": meta} if meta else {})}, **fields
    )
    made.target, made.credential = target, credential
    return made


def said(answer: Any) -> str:
    return str(answer.view()["content"][0]["text"])
