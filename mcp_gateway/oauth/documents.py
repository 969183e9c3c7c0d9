"""Documents that the issuer publishes: JSON, small, from where it says and nowhere else."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from mcp_gateway.wire import address, jsonrpc
from mcp_gateway.wire.http import AddressRefused, HttpClient, HttpFailed
from mcp_gateway.wire.url import parse

MOST: Final = 256 * 1024
"""Bytes of the largest document that is read."""
TOO_MANY: Final = 429
"""The one status of its class that says nothing of the document."""
WITHIN: Final = 10.0
"""Seconds for one document, all in all."""


class DocumentError(Exception):
    """A document that cannot be had, or does not say what it must."""


class NotThereError(DocumentError):
    """The issuer has no such document (HTTP 4xx, but 429)."""


class Documents:
    """Reads them through the gateway's own client, so as `[network]` says.

    Only https is spoken, save with this machine; and what is on this machine is asked only if the
    `issuer` is. Redirects are not followed.
    """

    def __init__(self, issuer: str, http: HttpClient) -> None:
        self._issuer = issuer
        self._http = http

    async def read(self, url: str) -> Mapping[str, Any]:
        """The object at a URL. Raises DocumentError."""
        try:
            check(url, self._issuer)
            async with asyncio.timeout(WITHIN):
                found = jsonrpc.decode(await self._body(url))
        except (HttpFailed, TimeoutError, ValueError) as error:
            raise DocumentError(f"{url}: {str(error) or 'no answer in time'}") from None
        if not isinstance(found, dict):
            raise DocumentError(f"{url} holds no JSON object")
        return found

    async def _body(self, url: str) -> bytes:
        headers = [("accept", "application/json")]
        async with self._http.stream("GET", url, headers, timeout=WITHIN) as answer:
            if 400 <= answer.status < 500 and answer.status != TOO_MANY:
                raise NotThereError(f"{url} answers {answer.status}")
            if answer.status != 200:
                raise DocumentError(f"{url} answers {answer.status}; redirects are not followed")
            return await answer.read(MOST, WITHIN)


def check(url: str, issuer: str) -> None:
    """Whether something named by the issuer, or by its documents, may be an address to go to.

    Raises ValueError unless it is https, or on this machine as the issuer is.
    """
    here = _on_this_machine(url)
    if here and not _on_this_machine(issuer):
        raise ValueError("it is on this machine, and the issuer is not")
    if not here and parse(url).origin.scheme != "https":
        raise ValueError("it is not https")


def _on_this_machine(url: str) -> bool:
    """Whether a URL's host is this machine by its very name. Raises ValueError."""
    try:
        return address.here(parse(url).origin.host)
    except AddressRefused as refused:
        raise ValueError(str(refused)) from None
