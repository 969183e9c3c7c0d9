"""Introspection (RFC 7662): what a token is, for those who may know."""

from collections.abc import Mapping
from typing import Any, Final

INACTIVE: Final[Mapping[str, Any]] = {"active": False}
_SAID: Final = ("iss", "sub", "aud", "client_id", "scope", "jti", "iat", "exp")


def active(claims: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of an access token that is good: nothing but what is registered for such answers."""
    found = {name: claims[name] for name in _SAID if name in claims}
    return {"active": True, "token_type": "Bearer", **found}
