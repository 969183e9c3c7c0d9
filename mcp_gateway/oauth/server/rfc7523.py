"""What clients and identity providers assert in signed JWTs (RFC 7523): verified strictly."""

import base64
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST: Final = 8192
LIFETIME: Final = 600
"""Seconds that an assertion may live, all in all."""
LEEWAY: Final = 30
_COMPACT: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+")
_FORBIDDEN: Final = frozenset({"crit", "b64", "jwk", "jku", "x5u", "x5c"})
"""Members of a header that would bring a key of the sender's own, or change what is signed."""


class AssertionRefused(Exception):
    """An assertion that does not hold, and why."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What an assertion must say. `types` are the `typ` that its header may have."""

    issuer: str
    audiences: Collection[str]
    algorithms: Collection[str]
    types: Collection[str]


@dataclass(frozen=True, slots=True)
class Asserted:
    """An assertion that holds. `id` may not come a second time before `expires`."""

    subject: str
    id: str
    expires: int
    claims: Mapping[str, Any]


def unverified(assertion: str, name: str) -> str:
    """A claim of an assertion that nobody has verified yet, to know whose keys do."""
    match = _COMPACT.fullmatch(assertion) if len(assertion) <= LONGEST else None
    found = _object(match[2]).get(name) if match else None
    if not isinstance(found, str) or not found.isprintable():
        raise AssertionRefused("the assertion is no signed JWT, or does not say whose it is")
    return found


def verified(assertion: str, keys: KeySet, terms: Terms, now: float) -> Asserted:
    """Raises AssertionRefused."""
    claims = claims_of(assertion, keys, terms, now)
    return Asserted(text(claims, "sub"), text(claims, "jti"), claims["exp"], claims)


def claims_of(assertion: str, keys: KeySet, terms: Terms, now: float) -> Mapping[str, Any]:
    """Of one that is signed, for here, and in time: `iat` and `exp` are whole seconds.

    Raises AssertionRefused.
    """
    _check_header(assertion, terms)
    registry = JWSRegistry(algorithms=list(terms.algorithms), strict_check_header=False)
    try:
        claims = jwt.decode(assertion, keys, registry=registry).claims
    except (JoseError, ValueError, RecursionError):
        raise AssertionRefused("the assertion is not signed by a key of its issuer") from None
    if claims.get("iss") != terms.issuer:
        raise AssertionRefused("the assertion is of another issuer")
    audience = claims.get("aud")
    named = [audience] if isinstance(audience, str) else audience
    if not isinstance(named, list) or len(named) != 1 or named[0] not in list(terms.audiences):
        raise AssertionRefused("the assertion is for another audience, or for several")
    _check_times(claims, now)
    return dict(claims)


def _check_header(assertion: str, terms: Terms) -> None:
    match = _COMPACT.fullmatch(assertion) if len(assertion) <= LONGEST else None
    header = _object(match[1]) if match else {}
    if header.get("alg") not in list(terms.algorithms):
        raise AssertionRefused("the assertion is signed by an algorithm that is not allowed")
    if str(header.get("typ", "")).lower() not in terms.types:
        raise AssertionRefused("the assertion is of another type")
    if not _FORBIDDEN.isdisjoint(header):
        raise AssertionRefused("the assertion brings a key, or an extension, of its own")


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    issued, expires = claims.get("iat"), claims.get("exp")
    begins = claims.get("nbf", issued)
    if type(issued) is not int or type(expires) is not int or type(begins) is not int:
        raise AssertionRefused("the assertion has no iat and exp in whole seconds")
    if expires <= now or max(issued, begins) > now + LEEWAY or expires - issued > LIFETIME:
        raise AssertionRefused("the assertion has expired, is not valid yet, or lives too long")


def text(claims: Mapping[str, Any], name: str) -> str:
    """A claim that has to be there. Raises AssertionRefused."""
    found = claims.get(name)
    if not isinstance(found, str) or not 0 < len(found) <= 512 or not found.isprintable():
        raise AssertionRefused(f"the assertion has no {name}, or one that cannot be shown")
    return found


def _object(encoded: str) -> Mapping[str, Any]:
    try:
        found = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
