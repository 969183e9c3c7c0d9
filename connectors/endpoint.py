"""The address of an MCP server over HTTP, and what is sent there."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from connectors import large
from connectors.failures import accepted, told
from connectors.reading import Unheld
from mcp_gateway.core.body import Result
from mcp_gateway.core.credential import Credential, CredentialRefused
from mcp_gateway.core.errors import Refusal, UpstreamFailed
from mcp_gateway.wire import jsonrpc
from mcp_gateway.wire.connection import Response
from mcp_gateway.wire.failures import HttpFailed, HttpTimedOut, TooLarge
from mcp_gateway.wire.http import HttpClient

Headers = Sequence[tuple[str, str]]
BOUND: Final = 2.0
"""Seconds for what is said without waiting for an answer."""

log = logging.getLogger(__name__)


def nothing() -> None:
    """It is no matter to anybody."""


class Endpoint:
    """`lost` is called when nobody is there any more."""

    def __init__(
        self,
        server: str,
        http: HttpClient,
        url: str,
        timeout: float,
        lost: Callable[[], None] = nothing,
        *,
        folder: Path | None = None,
    ) -> None:
        """Where there is a `folder`, results may be larger than is held of an answer."""
        self.server = server
        self.url = url
        self.timeout = timeout
        self._http = http
        self._lost = lost
        self._folder = folder

    def at(self, url: str) -> "Endpoint":
        """Another address of the same server."""
        return Endpoint(self.server, self._http, url, self.timeout, self._lost, folder=self._folder)

    def held(self, method: str) -> int:
        """Bytes up to which an answer to this is held; 0 where a larger one is refused."""
        return self._http.held if self._folder and method in large.STREAMED else 0

    def large(self, id_: bytes, method: str, came: Response | Unheld) -> Result:
        """What is too large to be held, passed on while it arrives."""
        response, flowing = (came, None) if isinstance(came, Response) else came.reading.taken()
        source = large.Source(self.server, response, self.timeout, flowing)
        spill = (self._folder or Path(), self._http.held)
        return jsonrpc.body(b"", stream=large.Large(source, id_, method, spill))

    async def send(
        self,
        method: str,
        headers: Headers,
        body: bytes,
        credential: Credential,
        *,
        spills: bool = False,
    ) -> Response:
        """The answer, of any status but those `accepted` raises for. `spills`: it may be a stream.

        Raises UpstreamFailed, UpstreamTimedOut, ResultTooLarge, CredentialRefused.
        """
        try:
            response = await self._http.request(
                method,
                self.url,
                [*headers, *credential.headers],
                body,
                timeout=self.timeout,
                spills=spills,
            )
        except HttpFailed as failure:
            if not isinstance(failure, HttpTimedOut | TooLarge):
                self._lost()
            raise told(self.server, failure) from None
        except ValueError as error:  # a credential, or a header, that no request can hold
            raise UpstreamFailed(f"{self.server}: {error}") from None
        return accepted(response)

    async def say(
        self, headers: Headers, body: bytes, credential: Credential, *, method: str = "POST"
    ) -> None:
        """Sends what nobody waits for an answer to: it is no matter to anybody if it fails."""
        try:
            async with asyncio.timeout(BOUND):
                (await self.send(method, headers, body, credential)).close()
        except (Refusal, CredentialRefused, TimeoutError) as failure:
            log.debug("%s was not told: %s", self.server, type(failure).__name__)

    async def said(self, headers: Headers, body: bytes, credential: Credential) -> None:
        """The same for a task that is being cancelled: the saying is a task of its own."""
        saying = asyncio.ensure_future(self.say(headers, body, credential))
        try:
            await asyncio.wait({saying}, timeout=BOUND)
        finally:
            saying.cancel()
