"""Identity assertion grants (draft-ietf-oauth-identity-assertion-authz-grant), as they come in.

The company's identity provider says that this person may use this client here.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from joserfc.jwk import KeySet

from mcp_gateway.oauth.server.rfc6749 import OAuthError, scopes_of
from mcp_gateway.oauth.server.rfc7523 import AssertionRefused, Terms, verified

TYPES: Final = frozenset({"oauth-id-jag+jwt", "application/oauth-id-jag+jwt"})


@dataclass(frozen=True, slots=True)
class Assertion:
    """What the provider asserts. `client` is its own name for the client."""

    subject: str
    client: str
    resource: str
    scopes: frozenset[str]
    id: str
    expires: int
    claims: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Provider:
    """Whose assertions are taken."""

    issuer: str
    algorithms: Collection[str]


def read(assertion: str, keys: KeySet, provider: Provider, own: str, now: float) -> Assertion:
    """An assertion made for the server `own`. Raises AssertionRefused."""
    terms = Terms(provider.issuer, {own}, provider.algorithms, TYPES)
    held = verified(assertion, keys, terms, now)
    try:
        scopes = scopes_of(_text(held.claims.get("scope", "")))
    except OAuthError as error:
        raise AssertionRefused(error.description) from None
    client, resource = held.claims.get("client_id"), held.claims.get("resource")
    if not _text(client) or not _text(resource):
        raise AssertionRefused("the assertion names no client, or no one resource")
    return Assertion(
        held.subject,
        _text(client),
        _text(resource),
        scopes,
        held.id,
        held.expires,
        dict(held.claims),
    )


def _text(claim: object) -> str:
    if not isinstance(claim, str):
        raise AssertionRefused("the assertion has a claim that is not text")
    return claim
