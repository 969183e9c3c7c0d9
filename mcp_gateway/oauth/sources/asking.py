"""How a token is asked for at an upstream's server, by the client configured there."""

import time
from collections.abc import Callable, Sequence
from typing import Final

from mcp_gateway.core.credential import Credential
from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.oauth.documents import DocumentError
from mcp_gateway.oauth.ports import GrantOptions, Obtained, Wanted
from mcp_gateway.oauth.sources.reading import shown
from mcp_gateway.oauth.upstream import challenge as challenges
from mcp_gateway.oauth.upstream import scopes
from mcp_gateway.oauth.upstream.challenge import NO_CHALLENGE, Challenge
from mcp_gateway.oauth.upstream.client import Client, configured
from mcp_gateway.oauth.upstream.discovery import Discovery, Found
from mcp_gateway.oauth.upstream.rfc6749 import Answer, TokenEndpoint, TokenRefused
from mcp_gateway.oauth.upstream.rfc8414 import AuthorizationServer

KEPT: Final = 300.0
"""Seconds for which what was discovered counts, and a token that does not say when it ends."""
MARGIN: Final = 30.0
"""Seconds before its end from which a token is not shown any more."""

Form = Sequence[tuple[str, str]]


class Asking:
    """What the kinds have in common for which nobody has to be asked."""

    def __init__(
        self,
        discovery: Discovery,
        endpoint: TokenEndpoint,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.discovery = discovery
        self._endpoint = endpoint
        self._clock = clock
        self._found: dict[str, tuple[float, GrantOptions, Found]] = {}

    async def found(self, wanted: Wanted) -> Found:
        """The server that gives tokens for the upstream. Looked for anew once it refused one."""
        until, options, known = self._found.get(wanted.server, (0.0, None, None))
        fresh = options is wanted.options and self._clock() < until and wanted.refused is None
        if known is None or not fresh:
            try:
                known = await self.discovery.found(wanted.url, wanted.options, _challenge(wanted))
            except (DocumentError, ValueError) as error:
                raise UpstreamFailed(f"{wanted.server}: {error}", sent=False) from None
            self._found[wanted.server] = (self._clock() + KEPT, wanted.options, known)
        return known

    def client(self, wanted: Wanted, server: AuthorizationServer) -> Client:
        """The one that is configured for the grant. Raises UpstreamFailed."""
        try:
            return configured(wanted.options, server)
        except ValueError as error:
            raise UpstreamFailed(f"{wanted.server}: {error}", sent=False) from None

    async def ask(
        self, wanted: Wanted, server: AuthorizationServer, client: Client, form: Form
    ) -> Answer:
        """Raises UpstreamFailed, UpstreamTimedOut."""
        try:
            return await self._endpoint.ask(server, client, form)
        except TokenRefused as refused:
            raise UpstreamFailed(
                f"the authorization server for {wanted.server} says {refused.error}", sent=False
            ) from None

    def obtained(
        self, wanted: Wanted, answer: Answer, reference: str, most: float = float("inf")
    ) -> Obtained:
        """The token as a credential, for `most` seconds. Raises UpstreamFailed for another kind."""
        if answer.type != "bearer":
            raise UpstreamFailed(f"the token for {wanted.server} is no bearer token", sent=False)
        value = shown(wanted.server, "the token", wanted.grant.prefix, answer.access)
        headers = ((wanted.grant.header, value),)
        good = answer.scopes or wanted.scopes
        seconds = min(_seconds(answer.expires_in), most)
        credential = Credential(reference, headers, good, "token")
        return Obtained(credential, self._clock() + seconds)


def needed(wanted: Wanted, resource: str) -> list[tuple[str, str]]:
    """What every request says: for which upstream (RFC 8707), and with which scopes."""
    said = [("resource", resource)] if resource else []
    if wanted.scopes:
        said.append(("scope", scopes.text(wanted.scopes)))
    return said


def _seconds(expires_in: int) -> float:
    """How long a token is shown: a short one for half of its time."""
    return max(expires_in - MARGIN, expires_in / 2) if expires_in else KEPT


def _challenge(wanted: Wanted) -> Challenge:
    """NO_CHALLENGE for one that can be understood in two ways."""
    try:
        return challenges.read(wanted.refused.challenge) if wanted.refused else NO_CHALLENGE
    except ValueError:
        return NO_CHALLENGE
