"""Client authentication by a signed assertion (RFC 7523, section 2.2; `private_key_jwt`)."""

import secrets
import time
from collections.abc import Callable
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import JWSRegistry

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFETIME: Final = 60
"""Seconds."""
_CURVES: Final = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
_ALGORITHMS: Final = JWSRegistry(algorithms=["RS256", *_CURVES.values()])


def assertion(
    client_id: str, audience: str, key: str, clock: Callable[[], float] = time.time
) -> str:
    """Says once, for a minute, to one issuer, that the holder of this private key (PEM) asks.

    Raises ValueError for what is no key that can sign.
    """
    now = int(clock())
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": audience,
        "iat": now,
        "exp": now + LIFETIME,
        "jti": secrets.token_urlsafe(16),
    }
    algorithm, signer = _signer(key)
    return jwt.encode({"alg": algorithm}, claims, signer, registry=_ALGORITHMS)


def _signer(key: str) -> tuple[str, Any]:
    for kind in (ECKey, RSAKey):
        try:
            found = kind.import_key(key)
        except (JoseError, ValueError, TypeError, AttributeError):
            continue
        if not found.is_private:
            break
        algorithm = (
            "RS256" if kind is RSAKey else _CURVES.get(str(getattr(found, "curve_name", "")))
        )
        if algorithm:
            return algorithm, found
    raise ValueError("the client key is no private key, of RSA or an NIST curve, in PEM")
