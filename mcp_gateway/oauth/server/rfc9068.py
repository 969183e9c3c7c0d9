"""Access tokens as they are made (RFC 9068): signed, for one endpoint, saying who it is for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

from mcp_gateway.core.principal import Principal
from mcp_gateway.oauth.claims import TokenRefused
from mcp_gateway.oauth.server.rfc6749 import spelled

ALGORITHM: Final = "ES256"
TYPE: Final = "at+jwt"
LONGEST: Final = 86_400
"""Seconds that a token lives at most, whatever is configured."""


@dataclass(frozen=True, slots=True)
class Token:
    """What one token says. `family` is empty where nothing can renew it.

    `login` has the names by which what the person logged in with can be revoked: those of an
    API key, if it was one.
    """

    issuer: str
    principal: Principal
    resource: str
    id: str
    issued: int
    expires: int
    family: str = ""
    login: frozenset[str] = frozenset()

    def claims(self) -> dict[str, Any]:
        """`iss` is who signs, `idp` and `idp_sub` whom it is for, whatever they logged in with."""
        who = self.principal
        found: dict[str, Any] = {
            "iss": self.issuer,
            "sub": who.identity,
            "aud": [self.resource],
            "client_id": who.client,
            "scope": spelled(who.scopes),
            "jti": self.id,
            "iat": self.issued,
            "exp": self.expires,
            "idp": who.issuer,
            "idp_sub": who.subject,
            "roles": sorted(who.roles),
            "tenant": who.tenant,
            "mode": who.mode,
        }
        if self.family:
            found["fam"] = self.family
        if self.login:
            found["login"] = sorted(self.login)
        if who.actor:
            found["act"] = {"sub": who.actor}
        return found

    def signed(self, key: ECKey) -> str:
        header = {"alg": ALGORITHM, "kid": key.kid, "typ": TYPE}
        return jwt.encode(header, self.claims(), key, algorithms=[ALGORITHM])


def read(token: str, keys: KeySet, issuer: str, now: float) -> Mapping[str, Any]:
    """The claims of a token that was signed here and is not over. Raises TokenRefused."""
    try:
        found = jwt.decode(token, keys, algorithms=[ALGORITHM])
    except (JoseError, ValueError, TypeError, RecursionError):
        raise TokenRefused("the token was not signed here") from None
    if found.header.get("typ") != TYPE or found.claims.get("iss") != issuer:
        raise TokenRefused("the token is no access token of this gateway")
    if found.claims["exp"] <= now:
        raise TokenRefused("the token has expired")
    return found.claims
