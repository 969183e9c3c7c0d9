"""Connecting: a person's consent at an upstream's authorization server, from there and back."""

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mcp_gateway.core.errors import UpstreamFailed, UpstreamTimedOut
from mcp_gateway.oauth.documents import DocumentError
from mcp_gateway.oauth.ports import Brought, ConnectFailed, GrantOptions
from mcp_gateway.oauth.upstream import probe, rfc6749, rfc7636, rfc9126, rfc9207, scopes
from mcp_gateway.oauth.upstream.client import Client
from mcp_gateway.oauth.upstream.discovery import Discovery, Found
from mcp_gateway.oauth.upstream.kept import Kept
from mcp_gateway.oauth.upstream.probe import Method
from mcp_gateway.oauth.upstream.rfc6749 import TokenEndpoint, TokenRefused
from mcp_gateway.oauth.upstream.rfc8414 import AuthorizationServer
from mcp_gateway.services.registrations import Asking, Registrations
from mcp_gateway.store.begun import Begun
from mcp_gateway.store.rows import BegunRow
from mcp_gateway.wire.http import HttpClient

log = logging.getLogger(__name__)
ENDS: Final = 600
"""Seconds that a person may take at the server."""
_ADVICE: Final = {
    "access_denied": "it was not allowed",
    "invalid_client": "the gateway was unknown there, and makes itself known anew: try again",
}


@dataclass(frozen=True, slots=True)
class Reached:
    """How an upstream is reached. `probe` is how a stranger asks it something."""

    url: str
    options: GrantOptions
    scopes: frozenset[str] = frozenset()
    probe: Method = ""


class Connecting:
    """Implements `ports.Connecting`. `reached` raises KeyError for an upstream that is not there.

    The verifier is derived from `secret` and the state; whom a consent is asked of is in the
    store, so that another process, or the same one after a restart, can take it up.
    """

    def __init__(  # the ports that it stands on
        self,
        reached: Callable[[str], Reached],
        secret: bytes,
        begun: Begun,
        registrations: Registrations,
        discovery: Discovery,
        http: HttpClient,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._reached = reached
        self._secret = secret
        self._begun = begun
        self._registrations = registrations
        self._discovery = discovery
        self._http = http
        self._endpoint = TokenEndpoint(http)
        self._clock = clock

    async def begin(self, server: str, scopes: frozenset[str], state: str, callback: str) -> str:
        try:
            return await self._begin(server, scopes, state, callback)
        except (DocumentError, UpstreamFailed, UpstreamTimedOut, ValueError) as error:
            log.warning("the server %s cannot be connected: %s", server, error)
            raise ConnectFailed(f"{server} cannot be connected: {error}") from None

    async def _begin(self, name: str, wanted: frozenset[str], state: str, callback: str) -> str:
        reached = self._upstream(name)
        challenge = await probe.challenged(reached.url, reached.probe, self._http)
        found = await self._discovery.found(reached.url, reached.options, challenge)
        server = found.server
        _usable(server)
        asked = scopes.asked(wanted | reached.scopes, challenge.scopes, found.scopes, server.scopes)
        asking = Asking(name, reached.options, callback, asked | found.scopes)
        client = await self._registrations.client(asking, server)
        parameters = _parameters(client, found, asked, callback)
        code = rfc7636.challenge(rfc7636.verifier(self._secret, state))
        parameters += [("state", state), ("code_challenge", code)]
        if server.must_push:
            parameters = list(await rfc9126.pushed(server, client, parameters, self._endpoint))
        await self._note(name, state, found, client, asked)
        return rfc6749.authorization(server, parameters)

    async def _note(
        self, name: str, state: str, found: Found, client: Client, asked: frozenset[str]
    ) -> None:
        now = int(self._clock())
        row = BegunRow(
            digest=_digest(state),
            upstream=name,
            server_issuer=found.server.issuer,
            client=client.id,
            scopes=scopes.text(asked),
            resource=found.resource,
            ends=now + ENDS,
        )
        await asyncio.to_thread(self._begun.put, row, now)

    async def finish(
        self, server: str, state: str, query: Mapping[str, str], callback: str
    ) -> Brought:
        try:
            row = await asyncio.to_thread(self._begun.take, _digest(state), int(self._clock()))
            if row.upstream != server:
                raise KeyError(server)
            return await self._finish(row, state, query, callback)
        except KeyError:
            raise ConnectFailed("this consent is not under way any more: begin again") from None
        except (DocumentError, UpstreamFailed, UpstreamTimedOut, ValueError) as error:
            log.warning("a consent for the server %s came to nothing: %s", server, error)
            raise ConnectFailed(f"{server} was not connected: {error}") from None

    async def _finish(
        self, row: BegunRow, state: str, query: Mapping[str, str], callback: str
    ) -> Brought:
        reached = self._upstream(row.upstream)
        options, url = reached.options, reached.url
        server = await self._discovery.server(row.server_issuer, url, options)
        # Before anything else that the answer says, its errors included, is believed.
        rfc9207.check(query, server.issuer, advertised=server.names_itself)
        if "error" in query or "code" not in query:
            raise ConnectFailed(_words(row.upstream, query.get("error", "")))
        client = await self._registrations.known(row.upstream, options, server, row.client)
        form = [
            ("grant_type", "authorization_code"),
            ("code", query["code"]),
            ("redirect_uri", callback),
            ("code_verifier", rfc7636.verifier(self._secret, state)),
            *([("resource", row.resource)] if row.resource else []),
        ]
        return await self._redeemed(row, server, client, form)

    async def _redeemed(
        self, row: BegunRow, server: AuthorizationServer, client: Client, form: rfc6749.Form
    ) -> Brought:
        try:
            answer = await self._endpoint.ask(server, client, form)
        except TokenRefused as refused:
            if refused.error == "invalid_client":
                await self._registrations.forget(row.upstream, row.server_issuer)
            raise ConnectFailed(_words(row.upstream, refused.error)) from None
        if answer.type != "bearer":
            raise ConnectFailed(f"{row.upstream} gives tokens that the gateway cannot show")
        asked = scopes.words(row.scopes)
        first = Kept(answer.access, row.server_issuer, client.id, row.resource, scopes=asked)
        kept = first.renewed(answer, self._clock())
        return Brought(kept.mapping(), kept.scopes, row.server_issuer, client.id)

    async def revoke(self, server: str, tokens: Mapping[str, Any]) -> None:
        try:
            kept = Kept.of(tokens)
            token = kept.refresh.reveal() or kept.access.reveal()
            reached = self._upstream(server)
            options = reached.options
            there = await self._discovery.server(kept.issuer, reached.url, options)
            if not there.revoke:
                return
            client = await self._registrations.known(server, options, there, kept.client)
            await self._endpoint.post(there.revoke, there, client, [("token", token)])
        except (KeyError, DocumentError, UpstreamFailed, UpstreamTimedOut, ConnectFailed) as error:
            log.warning("the authorization server of %s was not told to forget: %s", server, error)

    def _upstream(self, name: str) -> Reached:
        try:
            return self._reached(name)
        except KeyError:
            raise ConnectFailed(f"there is no server {name} to connect any more") from None


def _usable(server: AuthorizationServer) -> None:
    """Raises DocumentError for a server that a code could be stolen at."""
    if not server.pkce:
        raise DocumentError(f"{server.issuer} does not say that it supports PKCE with S256")
    if not server.authorize or not server.token:
        raise DocumentError(f"{server.issuer} asks no person for consent")
    if server.must_push and not server.push:
        raise DocumentError(f"{server.issuer} wants pushed requests, and does not say where")


def _parameters(
    client: Client, found: Found, asked: frozenset[str], callback: str
) -> list[tuple[str, str]]:
    return [
        ("response_type", "code"),
        ("client_id", client.id),
        ("redirect_uri", callback),
        *([("scope", scopes.text(asked))] if asked else []),
        # OpenID Connect Core, section 11: without it no server need give a refresh token.
        *([("prompt", "consent")] if scopes.OFFLINE in asked else []),
        *([("resource", found.resource)] if found.resource else []),
        ("code_challenge_method", rfc7636.METHOD),
    ]


def _words(upstream: str, error: str) -> str:
    """For the person. Of what the server says, only a code that is known is repeated."""
    return f"{upstream} was not connected: {_ADVICE.get(error, 'its server gave no token')}"


def _digest(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()
