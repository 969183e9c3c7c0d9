"""Alice's runtime: the SDK's client, which knows one URL and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp.client import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata
from pydantic import AnyUrl

from tests.support.process import BOUND
from tests.support.runtime_oauth import Kept

BACK: Final = b"<!doctype html><h1>Back in the runtime</h1>"
HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n"
Asks = Callable[[str], Awaitable[None]]
"""Has the person open an address."""


class Runtime:
    """`asks` is told the address of the log-in, which ends at a port of the runtime's own.

    `sent` has each request that it made, and how it was answered.
    """

    def __init__(self, url: str, asks: Asks) -> None:
        self._url = url
        self._asks = asks
        self._came_back: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.kept = Kept()
        self.sent: list[str] = []

    @asynccontextmanager
    async def client(self, **options: Any) -> AsyncIterator[Client]:
        async with (
            self._listening() as redirect,
            httpx2.AsyncClient(
                auth=self._auth(redirect), timeout=BOUND, event_hooks={"response": [self._note]}
            ) as http,
        ):
            transport = streamable_http_client(self._url, http_client=http)
            async with Client(transport, **options) as client:
                yield client

    def _auth(self, redirect: str) -> OAuthClientProvider:
        said = OAuthClientMetadata(
            client_name="Alice's runtime",
            redirect_uris=[AnyUrl(redirect)],
            grant_types=["authorization_code", "refresh_token"],
            response_types=["code"],
            token_endpoint_auth_method="none",
        )
        return OAuthClientProvider(self._url, said, self.kept, self._asks, self._answer)

    async def _answer(self) -> AuthorizationCodeResult:
        async with asyncio.timeout(BOUND):
            query = parse_qs(urlsplit(await self._came_back).query)
        return AuthorizationCodeResult(
            code=query["code"][0], state=query["state"][0], iss=query["iss"][0]
        )

    async def _note(self, response: httpx2.Response) -> None:
        request = response.request
        self.sent.append(f"{request.method} {request.url.path} {response.status_code}")

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[str]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            line = (await reader.readline()).decode("latin-1")
            if " /callback?" in line and not self._came_back.done():
                self._came_back.set_result(line.split(" ")[1])
            writer.write(HEAD + b"content-length: %d\r\n\r\n" % len(BACK) + BACK)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/callback"
