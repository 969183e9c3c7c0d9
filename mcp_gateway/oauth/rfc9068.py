"""JWT access tokens (RFC 9068): checked once, then remembered until they expire."""

import base64
import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import BadSignatureError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from mcp_gateway.core.principal import Principal
from mcp_gateway.oauth import claims as said
from mcp_gateway.oauth.claims import Claims, TokenRefused

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
_COMPACT: Final = re.compile(rb"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+")


class TokenExpired(TokenRefused):
    """A token whose time is over, as all come to be: nobody took it back."""


class KeyUnknown(TokenRefused):
    """A token that names a key which is not there: the issuer may have a new one."""


class StateUnknown(TokenRefused):
    """A token of which its issuer has not said in time whether it is still good."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a token stands for. `names` are those by which it can be revoked.

    `issued` and `expires` are Unix seconds, of the issuer's clock.
    """

    principal: Principal
    issued: int
    expires: int
    audiences: frozenset[str]
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token must say. `lifetime` in seconds is the longest that is taken.

    Without an `audience` a token is for the one endpoint that it names, to the letter. `ours` are
    the tokens of the gateway's own server: they say which issuer knows the person, and whom as.
    """

    issuer: str
    audience: str
    tenant: str
    algorithms: Sequence[str]
    lifetime: int
    roles_claim: str = "roles"
    tenant_claim: str = ""
    role_map: Mapping[str, frozenset[str]] = field(default_factory=dict)
    tenant_map: Mapping[str, str] = field(default_factory=dict)
    ours: bool = False


Seen = Callable[[bytes, bytes, Accepted], None]
"""Told of each token that is accepted: its digest, its text, and what it stands for.

It may raise TokenRefused.
"""


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
        self.seen: Seen | None = None

    @property
    def ready(self) -> bool:
        return self._keys is not None

    def swap(self, keys: KeySet) -> None:
        """Takes the keys of the moment; what was accepted under others is looked at again."""
        self._keys = keys
        self._known = {}

    @property
    def issuer(self) -> str:
        return self._expected.issuer

    def remembers(self, token: bytes) -> bool:
        """Whether this token was verified before, so that looking at it again costs nothing."""
        return hashlib.sha256(token).digest() in self._known

    def knows(self, digest: bytes) -> bool:
        """The same, of a token with this SHA-256."""
        return digest in self._known

    def accept(self, token: bytes, resource: str) -> Accepted:
        """A token for the gateway, or for the one resource that is asked for.

        Raises TokenRefused.
        """
        return self.accepted(hashlib.sha256(token).digest(), token, resource)

    def accepted(self, digest: bytes, token: bytes, resource: str) -> Accepted:
        """The same, where the SHA-256 of the token is known. Raises TokenRefused."""
        known = self._known.get(digest)
        if known is None:
            known = self._verify(token, digest)
            if len(self._known) >= MOST_REMEMBERED:
                self._known = {}
            self._known[digest] = known
        if known.expires < self._clock() - LEEWAY:
            raise TokenExpired("the token has expired")
        if resource not in known.audiences and self._expected.audience not in known.audiences:
            raise TokenRefused("the token is for another audience")
        if self.seen is not None:
            self.seen(digest, token, known)
        return known

    def _verify(self, token: bytes, digest: bytes) -> Accepted:
        if self._keys is None:
            raise KeyUnknown("the keys of the issuer are not there yet")
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
        return self._accepted(claims, digest)

    def _check(self, header: Mapping[str, Any]) -> None:
        if header.get("alg") not in self._expected.algorithms:
            raise TokenRefused("the token is signed by an algorithm that is not allowed here")
        if str(header.get("typ", "")).lower() not in TYPES:
            raise TokenRefused("the token is no access token: its typ is not at+jwt")
        if "crit" in header or "b64" in header:
            raise TokenRefused("the token wants an extension that is not known here")

    def _accepted(self, claims: Claims, digest: bytes) -> Accepted:
        if claims.get("iss") != self._expected.issuer:
            raise TokenRefused("the token is of another issuer")
        issued, expires = self._times(claims)
        audiences = said.words(claims, "aud", apart=False) - {""}
        principal = (_ours if self._expected.ours else _theirs)(self._expected, claims)
        names = _names(self._expected, principal, claims, digest)
        return Accepted(principal, issued, expires, audiences, names)

    def _times(self, claims: Claims) -> tuple[int, int]:
        issued, expires = said.seconds(claims, "iat"), said.seconds(claims, "exp")
        if expires - issued > self._expected.lifetime:
            raise TokenRefused(f"the token lives longer than {self._expected.lifetime} s")
        begins = max(issued, said.seconds(claims, "nbf")) if "nbf" in claims else issued
        if begins > self._clock() + LEEWAY:
            raise TokenRefused("the token is not valid yet")
        return issued, expires


def _theirs(expected: Expected, claims: Claims) -> Principal:
    subject, tenant = said.text(claims, "sub"), _tenant(expected, claims)
    if not subject or not tenant:
        raise TokenRefused("the token names no subject, or no tenant")
    return Principal(
        issuer=expected.issuer,
        subject=subject,
        tenant=tenant,
        client=said.text(claims, "client_id"),
        actor=said.actor(claims),
        roles=said.mapped(said.words(claims, expected.roles_claim), expected.role_map),
        scopes=said.words(claims, "scope"),
    )


def _tenant(expected: Expected, claims: Claims) -> str:
    if not expected.tenant_claim:
        return expected.tenant
    named = said.text(claims, expected.tenant_claim)
    if not expected.tenant_map:
        return named
    if named not in expected.tenant_map:
        raise TokenRefused("the tenant that the token names is not among those that are served")
    return expected.tenant_map[named]


def _ours(_: Expected, claims: Claims) -> Principal:
    """Whoever logged in is whom their own issuer says: the same, whatever they show."""
    issuer, subject, tenant = (said.text(claims, n) for n in ("idp", "idp_sub", "tenant"))
    if not issuer or not subject or not tenant:
        raise TokenRefused("the token does not say who was logged in")
    return Principal(
        issuer=issuer,
        subject=subject,
        tenant=tenant,
        client=said.text(claims, "client_id"),
        actor=said.actor(claims),
        roles=said.words(claims, "roles"),
        scopes=said.words(claims, "scope"),
        mode=said.text(claims, "mode") or "unknown",
    )


def issuer_of(token: bytes) -> str:
    """Whose token this says it is, before anything is verified: which keys it is looked at with.

    Raises TokenRefused.
    """
    parts = _parts(token)
    issuer = _object(parts[2], "claims").get("iss")
    if not isinstance(issuer, str):
        raise TokenRefused("the token names no issuer")
    return issuer


def name_of(token: bytes) -> str:
    """The name by which this one token is revoked, be it good or not. Raises TokenRefused."""
    issuer, claims = issuer_of(token), _object(_parts(token)[2], "claims")
    return _name(issuer, claims, hashlib.sha256(token).digest())


def _name(issuer: str, claims: Claims, digest: bytes) -> str:
    """By its `jti`, and by its digest where it has none."""
    return f"token:{issuer}|{said.text(claims, 'jti') or f'sha256:{digest.hex()}'}"


def _header(token: bytes) -> Mapping[str, Any]:
    """The header, before anything is verified: what a stranger wrote."""
    return _object(_parts(token)[1], "header")


def _parts(token: bytes) -> re.Match[bytes]:
    parts = _COMPACT.fullmatch(token) if len(token) <= LONGEST else None
    if parts is None:
        raise TokenRefused("it is neither a key of this gateway nor a signed JWT")
    return parts


def _object(encoded: bytes, name: str) -> Mapping[str, Any]:
    try:
        found = json.loads(base64.urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4)))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise TokenRefused(f"the {name} of the token cannot be read")
    return found


def _names(
    expected: Expected, principal: Principal, claims: Claims, digest: bytes
) -> frozenset[str]:
    """Its own, and those of whom and what it is of."""
    issuer = expected.issuer
    names = {_name(issuer, claims, digest), f"subject:{principal.identity}"}
    if principal.client:
        names.add(f"client:{principal.client}")
    if session := said.text(claims, "sid"):
        names.add(f"session:{issuer}|{session}")
    else:
        names.add(f"sessionless:{principal.identity}")
    return frozenset(names) | (own_names(claims) if expected.ours else frozenset())


def own_names(claims: Claims) -> frozenset[str]:
    """Those of what a token of the gateway's own came of: its log-in, and its family."""
    family = said.text(claims, "fam")
    return said.words(claims, "login", apart=False) | ({f"family:{family}"} if family else set())


def _nothing() -> None:
    return None
