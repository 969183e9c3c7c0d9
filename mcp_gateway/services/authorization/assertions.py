"""Assertions of the company's identity providers (ID-JAG): a token for a person, without a page."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from joserfc.jwk import KeySet

from mcp_gateway.config import AssertionSection, Settings
from mcp_gateway.core import ports
from mcp_gateway.core.entry import Entry
from mcp_gateway.core.principal import Principal
from mcp_gateway.oauth.claims import TokenRefused, mapped, words
from mcp_gateway.oauth.documents import DocumentError, Documents
from mcp_gateway.oauth.rfc7517 import key_set
from mcp_gateway.oauth.rfc8414 import jwks_uri
from mcp_gateway.oauth.server import id_jag, rfc7523, rfc8707
from mcp_gateway.oauth.server.rfc6749 import OAuthError, Parameters, invalid_grant, scopes_of
from mcp_gateway.oauth.server.rfc8414 import ASSERTION
from mcp_gateway.services.authorization import offer
from mcp_gateway.services.authorization.client import Client
from mcp_gateway.services.authorization.minting import Grant
from mcp_gateway.store.revocations import Revocations
from mcp_gateway.wire.http import HttpClient

log = logging.getLogger(__name__)
KEPT: Final = 300.0
"""Seconds for which a provider's keys are used without asking again."""
BETWEEN: Final = 5.0
"""Seconds between two fetches, however many assertions do not verify."""


@dataclass(slots=True)
class _Keys:
    """`fetched` is when they were had, `tried` when that was last attempted."""

    keys: KeySet | None = None
    fetched: float = 0.0
    tried: float = 0.0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Assertions:
    """`http` reaches providers as `[network]` says."""

    def __init__(
        self,
        once: Revocations,
        http: HttpClient,
        ledger: ports.Ledger,
        settings: Callable[[], Settings],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._once = once
        self._http = http
        self._ledger = ledger
        self._settings = settings
        self._clock = clock
        self._keys: dict[tuple[str, str], _Keys] = {}

    async def grant(self, form: Parameters, client: Client) -> Grant:
        """What an assertion is worth to the client that shows it. Raises OAuthError."""
        text, settings = form.need("assertion"), self._settings()
        try:
            section = _section(rfc7523.unverified(text, "iss"), settings)
            held = await self._read(text, section, settings.public)
            roles = mapped(words(held.claims, section.roles_claim), _role_map(section))
        except (rfc7523.AssertionRefused, TokenRefused) as refused:
            raise invalid_grant(str(refused)) from None
        if section.clients.get(held.client, held.client) != client.id:
            raise invalid_grant("the assertion is for another client")
        resource = rfc8707.chosen(
            [held.resource, *form.resources], offer.endpoints(settings), offer.whole(settings)
        )
        scopes = _scopes(form, held, client, settings)
        await self._counted(section.issuer, held, client)
        principal = Principal(
            section.issuer,
            held.subject,
            settings.gateway.tenant,
            client=client.id,
            roles=roles,
            scopes=scopes,
            mode=client.mode,
        )
        return Grant(ASSERTION, principal, resource, since=held.claims["iat"])

    async def _counted(self, issuer: str, held: id_jag.Assertion, client: Client) -> None:
        """Raises OAuthError for one that was shown before, Overloaded if it is not recorded."""
        name = f"jti:{issuer}|{held.id}"
        if not await asyncio.to_thread(self._once.once, name, held.expires):
            raise invalid_grant("the assertion was shown before")
        body = {"issuer": issuer, "subject": held.subject, "client": client.id, "jti": held.id}
        await self._ledger.append(Entry("assertion.accepted", body=body))

    async def _read(self, text: str, section: AssertionSection, own: str) -> id_jag.Assertion:
        """With the keys that are known; once more with fresh ones. Raises AssertionRefused."""
        provider = id_jag.Provider(section.issuer, section.algorithms)
        known = self._keys.setdefault((section.issuer, section.jwks), _Keys())
        now = self._clock()
        if known.keys is not None and now - known.fetched < KEPT:
            try:
                return id_jag.read(text, known.keys, provider, own, now)
            except rfc7523.AssertionRefused:
                if now - known.tried < BETWEEN:
                    raise
        return id_jag.read(text, await self._fetched(known, section), provider, own, now)

    async def _fetched(self, known: _Keys, section: AssertionSection) -> KeySet:
        async with known.turn:
            if self._clock() - known.tried < BETWEEN:
                if known.keys is not None and known.fetched == known.tried:
                    return known.keys
                raise _unavailable("they were asked for a moment ago")
            known.tried = self._clock()
            documents = Documents(section.issuer, self._http)
            try:
                url = section.jwks or await jwks_uri(section.issuer, documents)
                known.keys = key_set(await documents.read(url))
            except DocumentError as error:
                raise _unavailable(str(error)) from None
            known.fetched = known.tried
            return known.keys


def _unavailable(why: str) -> OAuthError:
    log.warning("the keys of an identity provider cannot be had: %s", why)
    return OAuthError(
        "temporarily_unavailable", "the keys of the identity provider cannot be had now", 503
    )


def _section(issuer: str, settings: Settings) -> AssertionSection:
    for section in settings.authorization.assertions.values():
        if section.issuer == issuer:
            return section
    raise rfc7523.AssertionRefused("assertions of this issuer are not taken")


def _role_map(section: AssertionSection) -> Mapping[str, frozenset[str]]:
    return {group: frozenset(roles) for group, roles in section.role_map.items()}


def _scopes(
    form: Parameters, held: id_jag.Assertion, client: Client, settings: Settings
) -> frozenset[str]:
    """What is asked for, asserted, and the client's, all three. Raises OAuthError.

    Where neither the client nor the provider names any, they are those of the section. One that
    a configuration names has what stands there, and nothing where nothing does.
    """
    known = offer.scopes(settings) - {offer.OFFLINE}
    found = scopes_of(form.get("scope")) or held.scopes or frozenset(settings.authorization.scopes)
    if held.scopes:
        found &= held.scopes
    if client.scopes or client.kind == "registered":
        found &= client.scopes
    if not (found := found & known):
        raise OAuthError("invalid_scope", "the assertion and the client have no scope in common")
    return found
