"""JWT access tokens (RFC 9068): checked once, then remembered until they expire."""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from mcp_gateway.core.principal import Principal

LEEWAY: Final = 30
MOST_REMEMBERED: Final = 50_000
TYPES: Final = frozenset({"at+jwt", "application/at+jwt"})


class TokenRefused(Exception):
    """A token that does not authenticate, and why."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a token stands for. `names` are those by which it can be revoked."""

    principal: Principal
    expires: int
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token must say. `lifetime` in seconds is the longest that is taken."""

    issuer: str
    audience: str
    tenant: str
    algorithms: Sequence[str]
    lifetime: int
    roles_claim: str = "roles"
    tenant_claim: str = ""


class AccessTokens:
    """Verifies tokens with the issuer's keys of the moment."""

    def __init__(self, expected: Expected, clock: Callable[[], float] = time.time) -> None:
        self._expected = expected
        self._clock = clock
        self._keys: KeySet | None = None
        self._known: dict[bytes, Accepted] = {}
        self.wanted: Callable[[], None] = _nothing
        """Asks for the keys anew: a token named one that is not among them."""

    @property
    def ready(self) -> bool:
        return self._keys is not None

    def swap(self, keys: KeySet) -> None:
        """Takes the keys of the moment; what was accepted under others is looked at again."""
        self._keys = keys
        self._known = {}

    def accept(self, token: bytes) -> Accepted:
        """Raises TokenRefused."""
        digest = hashlib.sha256(token).digest()
        known = self._known.get(digest)
        if known is None:
            known = self._verify(token.decode("latin-1"))
            if len(self._known) >= MOST_REMEMBERED:
                self._known = {}
            self._known[digest] = known
        if known.expires < self._clock() - LEEWAY:
            raise TokenRefused("the token has expired")
        return known

    def _verify(self, text: str) -> Accepted:
        if self._keys is None:
            raise TokenRefused("the keys of the issuer are not there yet")
        try:
            token = jwt.decode(text, self._keys, algorithms=list(self._expected.algorithms))
        except (JoseError, ValueError) as error:
            self.wanted()
            raise TokenRefused(f"the token does not verify: {error}") from None
        return self._accepted(token.header, token.claims)

    def _accepted(self, header: Mapping[str, Any], claims: Mapping[str, Any]) -> Accepted:
        expected = self._expected
        if str(header.get("typ", "")).lower() not in TYPES:
            raise TokenRefused("the token is no access token: its typ is not at+jwt")
        if claims.get("iss") != expected.issuer:
            raise TokenRefused("the token is of another issuer")
        audience = claims.get("aud")
        if expected.audience not in (audience if isinstance(audience, list) else [audience]):
            raise TokenRefused("the token is for another audience")
        issued, expires = claims.get("iat"), claims.get("exp")
        if not isinstance(issued, int) or not isinstance(expires, int):
            raise TokenRefused("the token has no iat and exp in whole seconds")
        if expires - issued > expected.lifetime:
            raise TokenRefused(f"the token lives longer than {expected.lifetime} s")
        self._in_time(claims, issued)
        return Accepted(self._principal(claims), expires, _names(claims))

    def _in_time(self, claims: Mapping[str, Any], issued: int) -> None:
        begins = max(issued, claims.get("nbf", issued))
        if begins > self._clock() + LEEWAY:
            raise TokenRefused("the token is not valid yet")

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        expected = self._expected
        subject = claims.get("sub")
        if not isinstance(subject, str) or not subject:
            raise TokenRefused("the token has no sub")
        actor = claims.get("act")
        tenant = claims.get(expected.tenant_claim) if expected.tenant_claim else expected.tenant
        if not isinstance(tenant, str):
            raise TokenRefused(f"the token has no {expected.tenant_claim}")
        return Principal(
            issuer=expected.issuer,
            subject=subject,
            tenant=tenant,
            client=str(claims.get("client_id", "")),
            actor=str(actor.get("sub", "")) if isinstance(actor, dict) else "",
            roles=_words(claims.get(expected.roles_claim)),
            scopes=_words(claims.get("scope")),
        )


def _words(claim: Any) -> frozenset[str]:
    """A claim of words, as a list or as one text with blanks."""
    words = claim if isinstance(claim, list) else str(claim or "").split()
    return frozenset(word for word in words if isinstance(word, str))


def _names(claims: Mapping[str, Any]) -> frozenset[str]:
    issuer = claims["iss"]
    return frozenset(
        {
            f"token:{issuer}|{claims.get('jti', '')}",
            f"subject:{issuer}|{claims.get('sub', '')}",
            f"client:{claims.get('client_id', '')}",
        }
    )


def _nothing() -> None:
    return None
