"""The cases of the contract: each kind of connector, with real servers at the other end."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from connectors import CONNECTORS
from mcp_gateway.core import ports
from tests.connectors.conftest import SMALL, Around
from tests.connectors.contract import Case
from tests.connectors.http import Asked, Era, answer_of, raw_upstream, text
from tests.connectors.sse import event, sse_upstream
from tests.connectors.stdio import PREAMBLE
from tests.support.gateway import free_port
from tests.support.sdk_upstream import command, serving
from tests.support.tcp import plain

TOOLS: dict[str, Any] = {
    "tool": "echo",
    "arguments": {"text": "hello"},
    "answer": "hello",
    "slow": "slow",
    "slow_arguments": {"word": "w"},
}


@dataclass
class Bench:
    """Where a case finds what it needs. What is entered is left when the test ends."""

    around: Around
    stack: AsyncExitStack
    folder: Path

    def noted(self, line: str) -> bool:
        notes = self.folder / "notes"
        return notes.exists() and line in notes.read_text("utf-8").splitlines()

    @asynccontextmanager
    async def opened(self, kind: str, **config: Any) -> AsyncIterator[ports.Connector]:
        plug = CONNECTORS[kind]
        own = plug.Config.model_validate(config)
        connector: ports.Connector = await plug.open("up", own, self.around.services)
        try:
            yield connector
        finally:
            await connector.aclose()

    async def failing(self, say: Callable[[Asked], bytes], era: Era) -> str:
        """The URL of an upstream that takes part, and then does this."""
        return (await self.stack.enter_async_context(raw_upstream(say, era))).url


def silent(_: Asked) -> bytes:
    return b""


def refusing(_: Asked) -> bytes:
    return plain(b"", b"www-authenticate: Bearer", status=b"401 Unauthorized")


def large(asked: Asked) -> bytes:
    return text(asked, "x" * SMALL)


def large_event(asked: Asked) -> bytes:
    return event(answer_of(asked, "x" * 9_000_000)) if asked.method == "tools/call" else b""


async def http(bench: Bench, **options: Any) -> Case:
    upstream = await bench.stack.enter_async_context(serving(bench.folder / "notes", **options))
    at = partial(bench.opened, "mcp_http")
    urls = [await bench.failing(say, "modern") for say in (silent, large, refusing)]
    one_piece = options == {"only": "modern", "json_response": True}

    def hung_up() -> bool:
        return not upstream.connections()

    return Case(
        **TOOLS,
        asks=not (options.get("stateless_http") or "json_response" in options),
        opened=lambda: at(url=upstream.url),
        seen=lambda: bench.noted("started w"),
        cancelled=hung_up if one_piece else lambda: bench.noted("cancelled w"),
        away=lambda: at(url=f"http://127.0.0.1:{free_port()}/mcp"),
        silent=lambda: at(url=urls[0], timeout=0.3),
        large=lambda: at(url=urls[1]),
        refusing=lambda: at(url=urls[2]),
        shown=lambda: [head.get("authorization", "") for head in upstream.heads],
    )


async def sse(bench: Bench) -> Case:
    upstream = await bench.stack.enter_async_context(serving(bench.folder / "notes", sse=True))
    at = partial(bench.opened, "mcp_sse")
    found = [
        await bench.stack.enter_async_context(sse_upstream(say)) for say in (silent, large_event)
    ]
    urls = [failing.url for failing in found]
    refused = await bench.failing(refusing, "")
    return Case(
        **TOOLS,
        asks=True,
        opened=lambda: at(url=upstream.url),
        seen=lambda: bench.noted("started w"),
        cancelled=lambda: bench.noted("cancelled w"),
        away=lambda: at(url=f"http://127.0.0.1:{free_port()}/sse"),
        silent=lambda: at(url=urls[0], timeout=0.3),
        large=lambda: at(url=urls[1]),
        refusing=lambda: at(url=refused),
        shown=lambda: [head.get("authorization", "") for head in upstream.heads],
    )


async def stdio(bench: Bench) -> Case:
    at = partial(bench.opened, "mcp_stdio")

    def program(name: str, then: str) -> list[str]:
        script = bench.folder / f"{name}.py"
        script.write_text(f"{PREAMBLE}\nstart()\nhear()\n{then}\n", "utf-8")
        return [sys.executable, str(script)]

    says_nothing = program("silent", "hear()")
    says_much = program("large", "print('x' * 9_000_000, flush=True); hear()")
    return Case(
        **TOOLS,
        asks=True,
        opened=lambda: at(command=command(bench.folder / "notes")),
        seen=lambda: bench.noted("started w"),
        cancelled=lambda: bench.noted("cancelled w"),
        away=lambda: at(command=["/bin/false"]),
        silent=lambda: at(command=says_nothing, timeout=0.3),
        large=lambda: at(command=says_much),
    )


class Things:
    """A REST application that notes what it is shown, and who leaves."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.shown: list[str] = []
        self.app = Starlette(
            routes=[Route("/things/{id}", self._thing), Route("/slow/{id}", self._slow)]
        )

    async def _thing(self, request: Request) -> JSONResponse:
        self.shown.append(request.headers.get("authorization", ""))
        return JSONResponse({"id": request.path_params["id"]})

    async def _slow(self, request: Request) -> JSONResponse:
        self.seen.append("started")
        while not await request.is_disconnected():
            await asyncio.sleep(0.01)
        self.seen.append("cancelled")
        return JSONResponse({})


async def openapi(bench: Bench) -> Case:
    things = Things()
    url = await bench.stack.enter_async_context(_served(things.app))
    document = bench.folder / "document.json"
    document.write_text(json.dumps(_document()), "utf-8")
    at = partial(bench.opened, "openapi", document=str(document))
    urls = [await bench.failing(say, "") for say in (silent, large, refusing)]
    return Case(
        opened=lambda: at(url=url),
        tool="thing",
        arguments={"id": "hello"},
        answer="hello",
        slow="slow",
        slow_arguments={"id": "w"},
        seen=lambda: "started" in things.seen,
        cancelled=lambda: "cancelled" in things.seen,
        away=lambda: at(url=f"http://127.0.0.1:{free_port()}"),
        silent=lambda: at(url=urls[0], timeout=0.3),
        large=lambda: at(url=urls[1]),
        refusing=lambda: at(url=urls[2]),
        shown=lambda: things.shown,
    )


def _document() -> dict[str, Any]:
    def operation(name: str) -> dict[str, Any]:
        parameters = [{"name": "id", "in": "path", "schema": {"type": "string"}}]
        return {"get": {"operationId": name, "x-mcp": {"enabled": True}, "parameters": parameters}}

    return {"paths": {"/things/{id}": operation("thing"), "/slow/{id}": operation("slow")}}


@asynccontextmanager
async def _served(app: Any) -> AsyncIterator[str]:
    port = free_port()
    config = uvicorn.Config(app, port=port, log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    task = asyncio.get_running_loop().create_task(server.serve())
    async with asyncio.timeout(10):
        while not server.started:
            await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task


CASES: dict[str, Callable[[Bench], Awaitable[Case]]] = {
    "mcp_http": http,
    "mcp_http modern": partial(http, only="modern"),
    "mcp_http modern json": partial(http, only="modern", json_response=True),
    "mcp_http legacy": partial(http, only="legacy"),
    "mcp_http legacy json": partial(http, only="legacy", json_response=True),
    "mcp_http stateless": partial(http, only="legacy", stateless_http=True),
    "mcp_stdio": stdio,
    "mcp_sse": sse,
    "openapi": openapi,
}
"""By kind, and what is particular about the upstream."""
