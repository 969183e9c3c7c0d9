"""An ASGI application, served by this process while a test needs it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from tests.support.gateway import BOUND


@asynccontextmanager
async def served_at(app: Any, listening: socket.socket) -> AsyncIterator[None]:
    """Yields once it answers, and ends it."""
    running = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1))
    task = asyncio.get_running_loop().create_task(running.serve([listening]))
    try:
        async with asyncio.timeout(BOUND):
            while not running.started:
                await asyncio.sleep(0.01)
        yield
    finally:
        running.should_exit = True
        await task
