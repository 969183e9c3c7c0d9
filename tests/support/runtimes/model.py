"""A local server that stands where a runtime expects its model, and follows a script."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.support.gateway import BOUND, Quiet, free_port
from tests.support.runtimes import messages, responses
from tests.support.runtimes.script import Script

Event = Mapping[str, Any]
Dialect = Callable[[Script, Mapping[str, Any]], Awaitable[Iterator[Event]]]


@asynccontextmanager
async def scripted_model(script: Script) -> AsyncIterator[str]:
    """Yields the URL of the model."""
    port = free_port()
    config = uvicorn.Config(_app(script), port=port, log_level="error", lifespan="off")
    server = Quiet(config)
    # Owned here: ended below.
    serving = asyncio.get_running_loop().create_task(server.serve())
    try:
        async with asyncio.timeout(BOUND):
            while not server.started:
                await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving


def _app(script: Script) -> Starlette:
    return Starlette(
        routes=[
            Route("/v1/messages", _endpoint(script, messages.answer), methods=["POST"]),
            Route("/v1/responses", _endpoint(script, responses.answer), methods=["POST"]),
        ]
    )


def _endpoint(script: Script, dialect: Dialect) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        raw = await request.body()
        script.told.append(raw.decode())
        events = await dialect(script, json.loads(raw))
        text = "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in events)
        return Response(text, media_type="text/event-stream")

    return endpoint
