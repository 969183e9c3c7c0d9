"""The address of an MCP server over HTTP, and what is sent there."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from connectors.failures import told
from mcp_gateway.core.credential import Credential, CredentialRefused
from mcp_gateway.core.errors import Refusal, UpstreamFailed
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
    ) -> None:
        self.server = server
        self.url = url
        self.timeout = timeout
        self._http = http
        self._lost = lost

    def at(self, url: str) -> "Endpoint":
        """Another address of the same server."""
        return Endpoint(self.server, self._http, url, self.timeout, self._lost)

    async def send(
        self, method: str, headers: Headers, body: bytes, credential: Credential
    ) -> Response:
        """The answer, of any status but 401.

        Raises UpstreamFailed, UpstreamTimedOut, ResultTooLarge, CredentialRefused.
        """
        try:
            response = await self._http.request(
                method, self.url, [*headers, *credential.headers], body, timeout=self.timeout
            )
        except HttpFailed as failure:
            if not isinstance(failure, HttpTimedOut | TooLarge):
                self._lost()
            raise told(self.server, failure) from None
        except ValueError as error:  # a credential, or a header, that no request can hold
            raise UpstreamFailed(f"{self.server}: {error}") from None
        if response.status == 401:
            response.close()
            raise CredentialRefused
        return response

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
