"""Every connector against its contract, with real servers at the other end."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from connectors import CONNECTORS
from mcp_gateway.core import ports
from tests.connectors import contract
from tests.connectors.conftest import SMALL, Around
from tests.connectors.contract import Case
from tests.connectors.http import Asked, raw_upstream, text
from tests.connectors.stdio import PREAMBLE
from tests.support.gateway import free_port
from tests.support.sdk_upstream import serving
from tests.support.tcp import plain


@dataclass
class Bench:
    """Where a case finds what it needs. What is entered is left when the test ends."""

    around: Around
    stack: AsyncExitStack
    folder: Path

    def note(self, line: str) -> bool:
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


@pytest.fixture
async def bench(around: Around, tmp_path: Path) -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        yield Bench(around, stack, tmp_path)


async def _http(bench: Bench, **options: Any) -> Case:
    upstream = await bench.stack.enter_async_context(serving(bench.folder / "notes", **options))
    silent = await bench.stack.enter_async_context(raw_upstream(lambda _: b""))

    def large(asked: Asked) -> bytes:
        return text(asked, "x" * SMALL)

    def refuse(_: Asked) -> bytes:
        return plain(b"", b"www-authenticate: Bearer", status=b"401 Unauthorized")

    too_large = await bench.stack.enter_async_context(raw_upstream(large))
    refusing = await bench.stack.enter_async_context(raw_upstream(refuse))
    away = f"http://127.0.0.1:{free_port()}/mcp"
    one_piece = options == {"only": "modern", "json_response": True}

    def noted() -> bool:
        return bench.note("cancelled w")

    return Case(
        opened=lambda: bench.opened("mcp_http", url=upstream.url),
        tool="echo",
        arguments={"text": "hello"},
        answer="hello",
        slow="slow",
        slow_arguments={"word": "w"},
        seen=lambda: bench.note("started w"),
        cancelled=(lambda: not upstream.connections()) if one_piece else noted,
        away=lambda: bench.opened("mcp_http", url=away),
        silent=lambda: bench.opened("mcp_http", url=silent.url, timeout=0.3),
        large=lambda: bench.opened("mcp_http", url=too_large.url),
        refusing=lambda: bench.opened("mcp_http", url=refusing.url),
        shown=lambda: [head.get("authorization", "") for head in upstream.heads],
    )


async def _stdio(bench: Bench) -> Case:
    example = Path(__file__).parents[1] / "support" / "sdk_upstream.py"
    words = [sys.executable, str(example), str(bench.folder / "notes")]

    def program(name: str, then: str) -> list[str]:
        script = bench.folder / f"{name}.py"
        script.write_text(f"{PREAMBLE}\nstart()\nhear()\n{then}\n", "utf-8")
        return [sys.executable, str(script)]

    silent = program("silent", "hear()")
    large = program("large", "print('x' * 9_000_000, flush=True); hear()")
    return Case(
        opened=lambda: bench.opened("mcp_stdio", command=words, environment=["PYTHONPATH"]),
        tool="echo",
        arguments={"text": "hello"},
        answer="hello",
        slow="slow",
        slow_arguments={"word": "w"},
        seen=lambda: bench.note("started w"),
        cancelled=lambda: bench.note("cancelled w"),
        away=lambda: bench.opened("mcp_stdio", command=["/bin/false"]),
        silent=lambda: bench.opened("mcp_stdio", command=silent, timeout=0.3),
        large=lambda: bench.opened("mcp_stdio", command=large),
    )


async def _openapi(bench: Bench) -> Case:
    """A REST application on Starlette."""
    seen: list[str] = []
    shown: list[str] = []

    async def thing(request: Request) -> JSONResponse:
        shown.append(request.headers.get("authorization", ""))
        return JSONResponse({"id": request.path_params["id"]})

    async def slow(request: Request) -> JSONResponse:
        seen.append("started")
        while not await request.is_disconnected():
            await asyncio.sleep(0.01)
        seen.append("cancelled")
        return JSONResponse({})

    app = Starlette(routes=[Route("/things/{id}", thing), Route("/slow/{id}", slow)])
    url = await bench.stack.enter_async_context(_application(app))
    document = bench.folder / "document.json"
    document.write_text(json.dumps(_document("thing", "slow")), "utf-8")
    silent = await bench.stack.enter_async_context(raw_upstream(lambda _: b"", era=""))
    large = await bench.stack.enter_async_context(
        raw_upstream(lambda _: plain(b"x" * (SMALL + 1)), era="")
    )
    refusing = await bench.stack.enter_async_context(
        raw_upstream(lambda _: plain(b"", status=b"401 Unauthorized"), era="")
    )

    def at(where: str, **config: Any) -> Any:
        return bench.opened("openapi", url=where, document=str(document), **config)

    return Case(
        opened=lambda: at(url),
        tool="thing",
        arguments={"id": "hello"},
        answer="hello",
        slow="slow",
        slow_arguments={"id": "w"},
        seen=lambda: "started" in seen,
        cancelled=lambda: "cancelled" in seen,
        away=lambda: at(f"http://127.0.0.1:{free_port()}"),
        silent=lambda: at(silent.url, timeout=0.3),
        large=lambda: at(large.url),
        refusing=lambda: at(refusing.url),
        shown=lambda: shown,
    )


def _document(*names: str) -> dict[str, Any]:
    def operation(name: str) -> dict[str, Any]:
        return {
            "get": {
                "operationId": name,
                "x-mcp": {"enabled": True},
                "parameters": [{"name": "id", "in": "path", "schema": {"type": "string"}}],
            }
        }

    paths = {"thing": "/things/{id}", "slow": "/slow/{id}"}
    return {"openapi": "3.1.0", "paths": {paths[name]: operation(name) for name in names}}


@asynccontextmanager
async def _application(app: Any) -> AsyncIterator[str]:
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
    "mcp_http": _http,
    "mcp_http modern": lambda bench: _http(bench, only="modern"),
    "mcp_http modern json": lambda bench: _http(bench, only="modern", json_response=True),
    "mcp_http legacy": lambda bench: _http(bench, only="legacy"),
    "mcp_http legacy json": lambda bench: _http(bench, only="legacy", json_response=True),
    "mcp_http stateless": lambda bench: _http(bench, only="legacy", stateless_http=True),
    "mcp_stdio": _stdio,
    "openapi": _openapi,
}


@pytest.fixture(params=CASES)
async def case(request: pytest.FixtureRequest, bench: Bench) -> Case:
    return await CASES[request.param](bench)


def test_every_connector_has_a_case() -> None:
    assert {name.split()[0] for name in CASES} == set(CONNECTORS)


@pytest.mark.parametrize("check", contract.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.requirement("connectors:one-contract")
async def test_every_connector_keeps_the_contract(
    case: Case, check: Callable[[Case], Awaitable[None]]
) -> None:
    await check(case)


@pytest.mark.requirement("connectors:one-contract")
@pytest.mark.requirement("upstreams:no-credential-is-told")
async def test_every_connector_fails_as_agreed(
    case: Case, caplog: pytest.LogCaptureFixture
) -> None:
    await contract.fails_as_agreed(case, caplog)
