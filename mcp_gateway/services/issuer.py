"""Issuer: the keys of one authorization server, and what is expected of its tokens."""

from collections.abc import Mapping

from joserfc.jwk import KeySet

from mcp_gateway.config import Identity
from mcp_gateway.oauth.documents import Documents
from mcp_gateway.oauth.rfc7517 import Jwks
from mcp_gateway.oauth.rfc9068 import AccessTokens, Expected
from mcp_gateway.wire.http import HttpClient


class Issuer:
    """Its keys are followed on their own; what is expected may change without fetching them."""

    def __init__(self, identity: Identity, http: HttpClient) -> None:
        self._place = (identity.issuer, identity.jwks)
        self._keys: KeySet | None = None
        self._tokens: AccessTokens | None = None
        documents = Documents(identity.issuer, http)
        self.jwks = Jwks(identity.issuer, identity.jwks, self._take, documents)

    @property
    def keys(self) -> KeySet | None:
        """Those of the moment; None before they are there."""
        return self._keys

    def serves(self, identity: Identity) -> bool:
        """Whether a configuration means this issuer, and its keys at this place."""
        return self._place == (identity.issuer, identity.jwks)

    def expecting(self, identity: Identity, tenant: str) -> AccessTokens:
        """What verifies tokens from now on; it gets the keys that are known, and all later ones."""
        tokens = AccessTokens(
            Expected(
                identity.issuer,
                identity.audience,
                tenant,
                identity.algorithms,
                identity.max_token_lifetime,
                identity.roles_claim,
                identity.tenant_claim,
                {group: frozenset(roles) for group, roles in identity.role_map.items()},
                identity.tenant_map,
            )
        )
        tokens.wanted = self.jwks.want
        if self._keys is not None:
            tokens.swap(self._keys)
        self._tokens = tokens
        return tokens

    def _take(self, keys: KeySet) -> None:
        self._keys = keys
        if self._tokens is not None:
            self._tokens.swap(keys)


def unheard(identity: Identity) -> Mapping[str, str]:
    """Issuers that do not tell the gateway what they take back, and what that means."""
    if not identity.issuer or identity.introspection or identity.backchannel:
        return {}
    minutes = max(1, identity.max_token_lifetime // 60)
    said = "a token that it takes back is good until it expires, or is revoked here"
    return {f"issuer {identity.issuer}": f"{said}: {minutes} minutes at most"}
