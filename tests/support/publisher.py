"""An issuer's web server: documents by path, and what was asked for."""

import json
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.tcp import plain, read_request, tcp_server

NOT_FOUND = plain(b"nothing here", status=b"404 Not Found")


@dataclass
class Publisher:
    """`pages` are raw answers by path, and may change; what is not there is a 404."""

    url: str
    pages: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def publish(self, path: str, document: Any) -> None:
        self.pages[path] = plain(json.dumps(document).encode(), b"content-type: application/json")

    def metadata(self, issuer: str, path: str = "/.well-known/openid-configuration") -> None:
        """The metadata of an issuer, whose keys are at /jwks."""
        self.publish(path, {"issuer": issuer, "jwks_uri": f"{self.url}/jwks"})


@asynccontextmanager
async def publisher(
    pages: Mapping[str, bytes] | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Publisher]:
    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        while True:
            head = await read_request(reader)
            path = head.split(b" ", 2)[1].decode()
            found.asked.append(path)
            writer.write(found.pages.get(path, NOT_FOUND))
            await writer.drain()

    async with tcp_server(serve, tls) as server:
        scheme = "https" if tls else "http"
        found = Publisher(f"{scheme}://localhost:{server.port}", dict(pages or {}))
        yield found
