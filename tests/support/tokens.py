"""Tokens as an issuer signs them, and as an attacker forges them."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Final

from joserfc import jwt
from joserfc.jwk import ECKey, Key, KeySet, OKPKey, RSAKey

from mcp_gateway.oauth.rfc9068 import AccessTokens, Expected

ISSUER: Final = "https://login.example.com"
AUDIENCE: Final = "https://gateway.example.com/mcp"
NOW: Final = 1_800_000_000

RSA: Final = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"}, private=True)
EC: Final = ECKey.generate_key("P-256", {"kid": "ec", "use": "sig"}, private=True)
ED: Final = OKPKey.generate_key("Ed25519", {"kid": "ed", "use": "sig"}, private=True)
STRANGER: Final = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"}, private=True)
"""A key that the issuer never had, under the name of one that it has."""

EXPECTED: Final = Expected(ISSUER, AUDIENCE, "acme", ["RS256", "ES256", "Ed25519"], 3600)


def public(*keys: Key) -> dict[str, Any]:
    """The document that an issuer publishes for these keys."""
    return {"keys": [key.as_dict(private=False) for key in keys]}


def verifying(expected: Expected = EXPECTED, *keys: Key) -> AccessTokens:
    """What checks tokens, at the moment NOW, with the public halves of these keys."""
    tokens = AccessTokens(expected, lambda: NOW)
    published = [{**key.as_dict(private=False)} for key in keys or (RSA, EC, ED)]
    tokens.swap(KeySet.import_key_set({"keys": published}))
    return tokens


def claims(**changes: Any) -> dict[str, Any]:
    """The claims of a good token; a change of None takes the claim out."""
    found = {
        "iss": ISSUER,
        "sub": "alice",
        "aud": AUDIENCE,
        "client_id": "runtime",
        "jti": "t-1",
        "iat": NOW - 10,
        "exp": NOW + 290,
        "scope": "orders:read orders:write",
        "roles": ["user"],
    }
    return {name: value for name, value in (found | changes).items() if value is not None}


def signed(
    content: Mapping[str, Any] | None = None,
    key: Key = RSA,
    alg: str = "RS256",
    **header: Any,
) -> bytes:
    """A token as the issuer makes it; a header of None is left out."""
    said = {"alg": alg, "kid": key.kid, "typ": "at+jwt", **header}
    said = {name: value for name, value in said.items() if value is not None}
    content = dict(claims() if content is None else content)
    return jwt.encode(said, content, key, algorithms=[alg], default_type=None).encode()


def forged(header: Any, content: Any, secret: bytes | None = None) -> bytes:
    """Whatever header and claims, signed by HMAC-SHA-256 with a secret, or not at all."""
    body = _part(header) + b"." + _part(content)
    if secret is None:
        return body + b"."
    return body + b"." + _encoded(hmac.digest(secret, body, hashlib.sha256))


def _part(value: Any) -> bytes:
    return _encoded(value if isinstance(value, bytes) else json.dumps(value).encode())


def _encoded(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")
