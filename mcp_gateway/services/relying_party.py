"""The relying party: the gateway as a client of the provider that people log in at."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from mcp_gateway.config import LoginSection
from mcp_gateway.core.errors import UpstreamFailed, UpstreamTimedOut
from mcp_gateway.oauth import oidc
from mcp_gateway.oauth.claims import TokenRefused
from mcp_gateway.oauth.documents import DocumentError, Documents
from mcp_gateway.oauth.ports import GrantOptions, no_secret
from mcp_gateway.oauth.rfc7517 import key_set
from mcp_gateway.oauth.rfc8414 import jwks_uri
from mcp_gateway.oauth.upstream import rfc6749, rfc7636, rfc9126, rfc9207
from mcp_gateway.oauth.upstream.client import Client, configured
from mcp_gateway.oauth.upstream.discovery import Discovery
from mcp_gateway.oauth.upstream.kept import Kept
from mcp_gateway.oauth.upstream.rfc6749 import Answer, TokenEndpoint
from mcp_gateway.oauth.upstream.rfc6749 import TokenRefused as NotGiven
from mcp_gateway.oauth.upstream.rfc8414 import AuthorizationServer
from mcp_gateway.wire.http import HttpClient

log = logging.getLogger(__name__)
_ADVICE: Final = {
    "access_denied": "you were not let in, or did not agree",
    "login_required": "nobody is logged in there",
    "temporarily_unavailable": "it has no time just now: try again later",
}


class LoginFailed(Exception):
    """A log-in that came to nothing, in words for whom it was."""


@dataclass(frozen=True, slots=True)
class Provider:
    """Where people log in, and the gateway's client there."""

    section: LoginSection
    server: AuthorizationServer
    client: Client


class RelyingParty:
    """The verifier and the nonce are derived from `secret` and the state, and kept nowhere."""

    def __init__(
        self,
        discovery: Discovery,
        http: HttpClient,
        secret: bytes,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._discovery = discovery
        self._http = http
        self._endpoint = TokenEndpoint(http)
        self._secret = secret
        self._clock = clock

    async def asking(self, section: LoginSection, state: str, callback: str) -> str:
        """The address at which the provider asks the person. Raises LoginFailed."""
        try:
            provider = await self._provider(section)
            parameters = self._parameters(provider, state, callback)
            if provider.server.must_push:
                pushed = rfc9126.pushed(
                    provider.server, provider.client, parameters, self._endpoint
                )
                parameters = list(await pushed)
            return rfc6749.authorization(provider.server, parameters)
        except (DocumentError, UpstreamFailed, UpstreamTimedOut, ValueError) as error:
            raise _nothing(section, error) from None

    def _parameters(self, provider: Provider, state: str, callback: str) -> list[tuple[str, str]]:
        return [
            ("response_type", "code"),
            ("client_id", provider.client.id),
            ("redirect_uri", callback),
            ("scope", " ".join(provider.section.scopes)),
            ("state", state),
            ("nonce", oidc.nonce(self._secret, state)),
            ("code_challenge", rfc7636.challenge(rfc7636.verifier(self._secret, state))),
            ("code_challenge_method", rfc7636.METHOD),
        ]

    async def answered(
        self, section: LoginSection, query: Mapping[str, str], callback: str
    ) -> tuple[oidc.Identified, Kept]:
        """Who came back with an answer to a state of ours, and the tokens of their log-in.

        Raises LoginFailed.
        """
        try:
            provider = await self._provider(section)
            server = provider.server
            # Before anything else that the answer says, its errors included, is believed.
            rfc9207.check(query, server.issuer, advertised=server.names_itself)
            if "error" in query or "code" not in query:
                raise LoginFailed(_words(section, query.get("error", "")))
            answer = await self._redeemed(provider, query["state"], query["code"], callback)
            found = await self._identified(provider, query["state"], answer)
        except (DocumentError, UpstreamFailed, UpstreamTimedOut, ValueError) as error:
            raise _nothing(section, error) from None
        except TokenRefused as refused:
            log.warning("the provider %s: %s", section.issuer, refused)
            raise LoginFailed(f"what {section.name} said of you cannot be believed") from None
        first = Kept(answer.access, section.issuer, provider.client.id)
        return found, first.renewed(answer, self._clock())

    async def _redeemed(self, provider: Provider, state: str, code: str, callback: str) -> Answer:
        form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", callback),
            ("code_verifier", rfc7636.verifier(self._secret, state)),
        ]
        try:
            return await self._endpoint.ask(provider.server, provider.client, form)
        except NotGiven as refused:
            raise LoginFailed(_words(provider.section, refused.error)) from None

    async def _identified(self, provider: Provider, state: str, answer: Answer) -> oidc.Identified:
        """With the keys of this moment: people log in seldom, and keys change."""
        issuer = provider.server.issuer
        documents = Documents(issuer, self._http)
        keys = key_set(await documents.read(await jwks_uri(issuer, documents)))
        expected = oidc.Expected(issuer, provider.client.id, oidc.nonce(self._secret, state))
        return oidc.identified(answer.id.reveal(), keys, expected, self._clock())

    async def _provider(self, section: LoginSection) -> Provider:
        """Raises DocumentError, ValueError."""
        secret = section.secret.read if section.secret else no_secret
        options = GrantOptions(client=section.client, client_secret=secret, issuer=section.issuer)
        server = await self._discovery.server(section.issuer, section.issuer, options)
        if not server.authorize or not server.token:
            raise DocumentError(f"{section.issuer} does not say where people log in")
        if not server.pkce and not section.secret:
            raise DocumentError(
                f"{section.issuer} does not say that it supports PKCE with S256, so the client "
                "needs a secret"
            )
        return Provider(section, server, configured(options, server))


def _nothing(section: LoginSection, error: Exception) -> LoginFailed:
    log.warning("a log-in at %s came to nothing: %s", section.issuer, error)
    return LoginFailed(
        f"{section.name} cannot log you in just now: the log of the gateway says why"
    )


def _words(section: LoginSection, error: str) -> str:
    """For the person. Of what the provider says, only a code that is known is repeated."""
    log.warning("the provider %s logged nobody in: %.64r", section.issuer, error)
    return f"{section.name} did not log you in: {_ADVICE.get(error, 'it does not say why')}"
