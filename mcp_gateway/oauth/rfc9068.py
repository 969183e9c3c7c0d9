"""JWT access tokens (RFC 9068): checked once, then remembered until they expire."""

import base64
import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import BadSignatureError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from mcp_gateway.core.principal import Principal

LEEWAY: Final = 30
LONGEST: Final = 16 * 1024
"""Characters of the longest token that is looked at."""
MOST_REMEMBERED: Final = 50_000
TYPES: Final = frozenset({"at+jwt", "application/at+jwt"})
ALGORITHMS: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
    | {"ES256", "ES384", "ES512", "Ed25519", "EdDSA"}
)
"""What a configuration may allow. With a shared secret, or none, anybody could sign."""

# Strict, since decoders of base64 drop what is not of its alphabet: one token, one form.
_COMPACT: Final = re.compile(rb"([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class TokenRefused(Exception):
    """A token that does not authenticate, and why."""


class KeyUnknown(TokenRefused):
    """A token that names a key which is not there: the issuer may have a new one."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a token stands for. `names` are those by which it can be revoked."""

    principal: Principal
    expires: int
    audiences: frozenset[str]
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
        # A header member that is not understood is ignored (RFC 7515, section 4); `crit` is not.
        self._registry = JWSRegistry(algorithms=expected.algorithms, strict_check_header=False)
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

    def remembers(self, token: bytes) -> bool:
        """Whether this token was verified before, so that looking at it again costs nothing."""
        return hashlib.sha256(token).digest() in self._known

    def accept(self, token: bytes, resource: str) -> Accepted:
        """A token for the gateway, or for the one resource that is asked for.

        Raises TokenRefused.
        """
        digest = hashlib.sha256(token).digest()
        known = self._known.get(digest)
        if known is None:
            known = self._verify(token)
            if len(self._known) >= MOST_REMEMBERED:
                self._known = {}
            self._known[digest] = known
        if known.expires < self._clock() - LEEWAY:
            raise TokenRefused("the token has expired")
        if self._expected.audience not in known.audiences and resource not in known.audiences:
            raise TokenRefused("the token is for another audience")
        return known

    def _verify(self, token: bytes) -> Accepted:
        if self._keys is None:
            raise TokenRefused("the keys of the issuer are not there yet")
        self._check(_header(token))
        try:
            claims = jwt.decode(token, self._keys, registry=self._registry).claims
        except InvalidKeyIdError:
            self.wanted()
            raise KeyUnknown("no key of the issuer is known by that name, yet") from None
        except BadSignatureError:
            self.wanted()
            raise TokenRefused("no key of the issuer signed the token") from None
        except (JoseError, ValueError, RecursionError):
            raise TokenRefused("the token cannot be verified") from None
        return self._accepted(claims)

    def _check(self, header: Mapping[str, Any]) -> None:
        if header.get("alg") not in self._expected.algorithms:
            raise TokenRefused("the token is signed by an algorithm that is not allowed here")
        if str(header.get("typ", "")).lower() not in TYPES:
            raise TokenRefused("the token is no access token: its typ is not at+jwt")
        if "crit" in header or "b64" in header:
            raise TokenRefused("the token wants an extension that is not known here")

    def _accepted(self, claims: Mapping[str, Any]) -> Accepted:
        if claims.get("iss") != self._expected.issuer:
            raise TokenRefused("the token is of another issuer")
        principal = self._principal(claims)
        return Accepted(
            principal,
            self._expiry(claims),
            _words(claims, "aud", apart=False),
            _names(principal, _text(claims, "jti")),
        )

    def _expiry(self, claims: Mapping[str, Any]) -> int:
        issued, expires = _seconds(claims, "iat"), _seconds(claims, "exp")
        if expires - issued > self._expected.lifetime:
            raise TokenRefused(f"the token lives longer than {self._expected.lifetime} s")
        begins = max(issued, _seconds(claims, "nbf")) if "nbf" in claims else issued
        if begins > self._clock() + LEEWAY:
            raise TokenRefused("the token is not valid yet")
        return expires

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        expected = self._expected
        subject = _text(claims, "sub")
        tenant = _text(claims, expected.tenant_claim) if expected.tenant_claim else expected.tenant
        if not subject or not tenant:
            raise TokenRefused("the token names no subject, or no tenant")
        return Principal(
            issuer=expected.issuer,
            subject=subject,
            tenant=tenant,
            client=_text(claims, "client_id"),
            actor=_actor(claims),
            roles=_words(claims, expected.roles_claim),
            scopes=_words(claims, "scope"),
        )


def _header(token: bytes) -> Mapping[str, Any]:
    """The header, before anything is verified: what a stranger wrote."""
    parts = _COMPACT.fullmatch(token) if len(token) <= LONGEST else None
    if parts is None:
        raise TokenRefused("it is neither a key of this gateway nor a signed JWT")
    encoded = parts[1]
    try:
        header = json.loads(base64.urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4)))
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise TokenRefused("the header of the token cannot be read")
    return header


def _seconds(claims: Mapping[str, Any], name: str) -> int:
    value = claims.get(name)
    if type(value) is not int:  # a boolean is an int too, and no time
        raise TokenRefused(f"the token has no {name} in whole seconds")
    return value


def _text(claims: Mapping[str, Any], name: str) -> str:
    """A claim that is text; empty when it is absent."""
    value = claims.get(name, "")
    if not isinstance(value, str):
        raise TokenRefused(f"the claim {name} is not text")
    return value


def _words(claims: Mapping[str, Any], name: str, *, apart: bool = True) -> frozenset[str]:
    """A claim of words: a list, or one text, which blanks set apart if it is not one word."""
    value = claims.get(name, [])
    if isinstance(value, str):
        value = value.split() if apart else [value]
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise TokenRefused(f"the claim {name} is not a list of words")
    return frozenset(value)


def _actor(claims: Mapping[str, Any]) -> str:
    """Who acts for the subject (RFC 8693, section 4.1). One that cannot be read is not nobody."""
    if "act" not in claims:
        return ""
    act = claims["act"]
    actor = act.get("sub") if isinstance(act, dict) else None
    if not isinstance(actor, str) or not actor:
        raise TokenRefused("the claim act names nobody")
    return actor


def _names(principal: Principal, token_id: str) -> frozenset[str]:
    issuer, names = principal.issuer, {f"subject:{principal.identity}"}
    if token_id:
        names.add(f"token:{issuer}|{token_id}")
    if principal.client:
        names.add(f"client:{principal.client}")
    return frozenset(names)


def _nothing() -> None:
    return None
