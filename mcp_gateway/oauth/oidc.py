"""OpenID Connect Core 1.0, as who people are sent from: the nonce, and the ID token (3.1.3.7)."""

import base64
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from mcp_gateway.oauth import claims as said
from mcp_gateway.oauth.claims import Claims, TokenRefused
from mcp_gateway.oauth.rfc9068 import ALGORITHMS, LEEWAY

RECENT: Final = 600
"""Seconds since which an ID token was made at most: it comes of a log-in that has just been."""
LONGEST_SUBJECT: Final = 255
LONGEST_NAME: Final = 200
_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_NAMES: Final = ("name", "preferred_username", "email")


@dataclass(frozen=True, slots=True)
class Expected:
    """Whose ID token it is, for which client, and of which request."""

    issuer: str
    client: str
    nonce: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Identified:
    """Who logged in, as their provider knows them. `name` is for pages, and may be empty."""

    subject: str
    name: str
    claims: Claims


def nonce(secret: bytes, state: str) -> str:
    """That of one request. It is derived from its state, and so kept nowhere."""
    derived = HKDF(SHA256(), 32, salt=None, info=b"login nonce\0" + state.encode()).derive(secret)
    return base64.urlsafe_b64encode(derived).rstrip(b"=").decode()


def identified(token: str, keys: KeySet, expected: Expected, now: float) -> Identified:
    """Who an ID token names. Raises TokenRefused."""
    claims = _verified(token, keys)
    if claims.get("iss") != expected.issuer:
        raise TokenRefused("the ID token is of another issuer")
    _check_client(claims, expected.client)
    _check_times(claims, now)
    if not hmac.compare_digest(said.text(claims, "nonce").encode(), expected.nonce.encode()):
        raise TokenRefused("the ID token is of another log-in: its nonce is not the one sent")
    return Identified(_subject(claims), _name(claims), claims)


def _verified(token: str, keys: KeySet) -> Claims:
    registry = JWSRegistry(algorithms=sorted(ALGORITHMS), strict_check_header=False)
    try:
        if not _COMPACT.fullmatch(token):
            raise ValueError("no compact form")
        found = jwt.decode(token, keys, registry=registry)
    except (JoseError, ValueError, RecursionError):
        raise TokenRefused("no key of the provider signed the ID token") from None
    _check_header(found.header)
    return found.claims


def _check_header(header: Mapping[str, Any]) -> None:
    """What is signed by the same keys for another use has a type that says so."""
    if str(header.get("typ", "JWT")).upper() != "JWT":
        raise TokenRefused("it is no ID token: its typ is of something else")
    if "crit" in header or "b64" in header:
        raise TokenRefused("the ID token wants an extension that is not known here")


def _check_client(claims: Claims, client: str) -> None:
    """Made for this client, and asked for by it: `azp` says who, where others may use it too."""
    audiences, party = said.words(claims, "aud", apart=False), said.text(claims, "azp")
    if client not in audiences:
        raise TokenRefused("the ID token is for another client")
    if party != client and (party or len(audiences) > 1):
        raise TokenRefused(
            "the ID token was made for another client: its azp says so, or is not there"
        )


def _check_times(claims: Claims, now: float) -> None:
    issued, expires = said.seconds(claims, "iat"), said.seconds(claims, "exp")
    begins = max(issued, said.seconds(claims, "nbf")) if "nbf" in claims else issued
    if expires <= now - LEEWAY or issued < now - RECENT:
        raise TokenRefused("the ID token is over, or was made long ago")
    if begins > now + LEEWAY:
        raise TokenRefused("the ID token is not valid yet: is the clock right?")


def _subject(claims: Claims) -> str:
    """At most 255 characters of ASCII (section 2)."""
    found = said.text(claims, "sub")
    if not found or len(found) > LONGEST_SUBJECT or not (found.isascii() and found.isprintable()):
        raise TokenRefused("the ID token names no subject that can be one")
    return found


def _name(claims: Claims) -> str:
    found = next((claims[name] for name in _NAMES if claims.get(name)), "")
    return found[:LONGEST_NAME] if isinstance(found, str) else ""
