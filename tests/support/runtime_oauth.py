"""A runtime that logs somebody in, with the SDK's own OAuth client and a browser of theirs."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp.client import Client
from mcp.client.auth import OAuthClientProvider, TokenStorage
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)
from pydantic import AnyUrl

from tests.support.connected import token_in
from tests.support.gateway import BOUND, GatewayUnderTest

REDIRECT = "http://127.0.0.1:7777/callback"


@dataclass
class Kept(TokenStorage):
    """What a runtime keeps between two runs."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


def metadata(name: str = "A runtime") -> OAuthClientMetadata:
    return OAuthClientMetadata(
        client_name=name,
        redirect_uris=[AnyUrl(REDIRECT)],
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
        token_endpoint_auth_method="none",
    )


Consenting = Callable[[str], Awaitable[str]]
"""Somebody's way from the address that a runtime opens to where the browser is sent back."""


@dataclass
class Runtime:
    """One runtime of one person, who consents as `consenting` says.

    With a `document` that is its client id; else it registers.
    """

    gateway: GatewayUnderTest
    consenting: Consenting
    document: str | None = None
    kept: Kept = field(default_factory=Kept)
    seen: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def client(self, path: str = "/mcp", mode: str = "auto") -> AsyncIterator[Client]:
        url = self.gateway.url + path
        auth = OAuthClientProvider(
            url,
            metadata(),
            self.kept,
            self._opened,
            self._came_back,
            client_metadata_url=self.document,
        )
        async with httpx2.AsyncClient(auth=auth, timeout=BOUND) as http:
            transport = streamable_http_client(url, http_client=http)
            async with Client(transport, mode=mode) as client:
                yield client

    async def _opened(self, address: str) -> None:
        self.seen.append(await self.consenting(address))

    async def _came_back(self) -> AuthorizationCodeResult:
        query = parse_qs(urlsplit(self.seen[-1]).query)
        return AuthorizationCodeResult(
            code=query["code"][0], state=query["state"][0], iss=query["iss"][0]
        )


async def agreed(browser: httpx2.AsyncClient, address: str, answer: str = "yes") -> str:
    """Follows to the consent page, answers it, and says where the browser is sent then."""
    asked = await browser.get(address)
    assert asked.status_code == 303, asked.text
    where = httpx2.URL(asked.headers["location"]).raw_path.decode()
    page = await browser.get(where)
    assert page.status_code == 200, page.text
    form = {"token": token_in(page.text), "answer": answer}
    back = await browser.post(where, data=form)
    assert back.status_code == 303, back.text
    return str(back.headers["location"])
