"""A listener of 2026-07-28 that hides nothing of the wire from its test."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from mcp_gateway.wire import modern

METHOD = "subscriptions/listen"
BOUND = 10.0
ALL = {"toolsListChanged": True, "promptsListChanged": True, "resourcesListChanged": True}


@dataclass
class Listener:
    """An answer that is read frame by frame."""

    response: httpx2.Response
    lines: AsyncIterator[str]

    async def frame(self) -> Any:
        """The next message. Raises StopAsyncIteration at the end."""
        async with asyncio.timeout(BOUND):
            while True:
                line = await anext(self.lines)
                if line.startswith("data:"):
                    return json.loads(line[5:])

    async def rest(self) -> list[Any]:
        """All messages to the end."""
        found = []
        while True:
            try:
                found.append(await self.frame())
            except StopAsyncIteration:
                return found


@asynccontextmanager
async def listening(
    http: httpx2.AsyncClient,
    notifications: Mapping[str, Any],
    *,
    id_: Any = 1,
    path: str = "/mcp",
    accept: str = "application/json, text/event-stream",
    capabilities: Mapping[str, Any] | None = None,
) -> AsyncIterator[Listener]:
    """A listen as raw as a runtime could send it."""
    meta = {modern.META_VERSION: modern.REVISION, modern.META_CAPABILITIES: capabilities or {}}
    params = {"notifications": notifications, "_meta": meta}
    message = {"jsonrpc": "2.0", "id": id_, "method": METHOD, "params": params}
    headers = {
        "mcp-protocol-version": modern.REVISION,
        "mcp-method": METHOD,
        "accept": accept,
    }
    async with http.stream("POST", path, json=message, headers=headers) as response:
        yield Listener(response, response.aiter_lines())
