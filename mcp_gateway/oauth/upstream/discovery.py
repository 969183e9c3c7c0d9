"""Discovery: from the address of an upstream to the server that gives tokens for it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from mcp_gateway.oauth.documents import DocumentError, Documents, NotThereError, check
from mcp_gateway.oauth.ports import GrantOptions
from mcp_gateway.oauth.upstream import rfc8414, rfc9728
from mcp_gateway.oauth.upstream.challenge import NO_CHALLENGE, Challenge
from mcp_gateway.oauth.upstream.rfc8414 import AuthorizationServer
from mcp_gateway.wire.http import HttpClient
from mcp_gateway.wire.url import parse

KEPT: Final = 300.0
"""Seconds for which what a server said of itself is not asked again."""
NONE_SENT: Final = "-"
"""A configured resource that says: send none."""
MOST: Final = 1024


@dataclass(frozen=True, slots=True)
class Found:
    """`resource` is what the token has to be for, empty where none is sent."""

    resource: str
    server: AuthorizationServer
    scopes: frozenset[str] = frozenset()


class Discovery:
    """Reads metadata through the gateway's own client. What is configured is not looked for."""

    def __init__(self, http: HttpClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._http = http
        self._clock = clock
        self._known: dict[tuple[str, str], tuple[float, AuthorizationServer]] = {}

    async def found(
        self, url: str, options: GrantOptions, challenge: Challenge = NO_CHALLENGE
    ) -> Found:
        """Everything anew. Raises DocumentError, with what is to be done where that is known."""
        resource = await self._resource(url, options, challenge)
        issuer = options.issuer or next(iter(resource.issuers), "")
        if not issuer and not (options.authorize and options.token):
            raise DocumentError(f"{url} names no authorization server: set issuer in its grant")
        server = await self.server(issuer, url, options, fresh=True)
        name = "" if options.resource == NONE_SENT else options.resource or resource.name
        return Found(name, server, resource.scopes)

    async def server(
        self, issuer: str, url: str, options: GrantOptions, *, fresh: bool = False
    ) -> AuthorizationServer:
        """The server with this name, for the upstream at a URL. Raises DocumentError."""
        key = (issuer, url)
        known = self._known.get(key)
        if known is None or fresh or known[0] < self._clock():
            found = await self._server(issuer, url, options)
            if len(self._known) >= MOST:
                self._known.clear()
            known = self._known[key] = (self._clock() + KEPT, found)
        return _overridden(known[1], options)

    async def _resource(
        self, url: str, options: GrantOptions, challenge: Challenge
    ) -> rfc9728.Resource:
        """What is configured stands for a document, whole or where there is none."""
        if (options.issuer or (options.authorize and options.token)) and options.resource:
            return rfc9728.Resource(options.resource, ())
        expected = "" if options.resource == NONE_SENT else options.resource
        documents = Documents(url, self._http)
        try:
            return await rfc9728.resource(url, challenge.metadata, documents, expected=expected)
        except NotThereError:
            # Revision 2025-03-26: the server is its own authorization server.
            issuers = () if options.issuer or options.authorize else (origin(url),)
            return rfc9728.Resource(expected or canonical(url), issuers)

    async def _server(self, issuer: str, url: str, options: GrantOptions) -> AuthorizationServer:
        if not issuer:
            return AuthorizationServer("", pkce=True)
        # Who is configured is trusted; who an upstream names is no nearer than the upstream is.
        base = issuer if issuer == options.issuer else url
        try:
            check(issuer, base)
            return await rfc8414.metadata(issuer, Documents(base, self._http))
        except NotThereError:
            if options.authorize and options.token:
                return AuthorizationServer(issuer, pkce=True)
            if issuer == origin(url):
                return rfc8414.assumed(issuer)
            raise
        except ValueError as error:
            raise DocumentError(f"the issuer {issuer!r} cannot be used: {error}") from None


def _overridden(server: AuthorizationServer, options: GrantOptions) -> AuthorizationServer:
    """With the endpoints that are configured. Raises DocumentError for one that cannot be used."""
    try:
        for value in filter(None, (options.authorize, options.token)):
            check(value, value)
    except ValueError as error:
        raise DocumentError(f"an endpoint in the grant cannot be used: {error}") from None
    return replace(
        server,
        authorize=options.authorize or server.authorize,
        token=options.token or server.token,
    )


def origin(url: str) -> str:
    parts = parse(url)
    return f"{parts.origin.scheme}://{parts.named}"


def canonical(url: str) -> str:
    """The URL as a resource (RFC 8707): without a query, and without a slash at its end."""
    return parse(url).absolute.partition("?")[0].rstrip("/")
