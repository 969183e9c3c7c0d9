"""Client ID metadata documents (draft-ietf-oauth-client-id-metadata-document): a URL is the client.

Whoever can publish at the URL is the client: the document says so by naming it.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from mcp_gateway.oauth.server import rfc7591
from mcp_gateway.oauth.server.rfc6749 import OAuthError
from mcp_gateway.wire import jsonrpc
from mcp_gateway.wire.url import parse

MOST: Final = 5 * 1024
"""Bytes of a document."""
SHORTEST: Final = 300.0
LONGEST: Final = 86_400.0
"""Seconds for which a document is kept, whatever its publisher says of it."""
METHODS: Final = frozenset({"none", "private_key_jwt"})
_URL: Final = re.compile(r"https://[a-z0-9.\[\]:-]+(/[A-Za-z0-9._~!$&'()*+,;=:@-]+)+/?")
_DOTTED: Final = re.compile(r"/\.{1,2}(/|$)")
_MAX_AGE: Final = re.compile(r"max-age=\"?(\d{1,9})")


def is_document(client: str) -> bool:
    """Whether a client id is a URL, of whatever kind."""
    return "://" in client


def check_id(client: str) -> None:
    """Raises OAuthError for a URL that cannot be a client id."""
    if not _is_id(client):
        raise OAuthError(
            "invalid_client",
            "a client id that is a URL is https, has a path, and neither query, fragment, port, "
            "credentials nor dot segments",
        )


def _is_id(client: str) -> bool:
    if len(client) > 512 or not _URL.fullmatch(client) or _DOTTED.search(client):
        return False
    try:
        parts = parse(client)
    except ValueError:
        return False
    return parts.named == parts.origin.host and not parts.origin.host.endswith(".")


def read(
    client: str, raw: bytes, private: Collection[str] = ()
) -> tuple[rfc7591.Registered, Mapping[str, Any]]:
    """What a document says of the client, and its keys if it has some. Raises OAuthError."""
    try:
        said = jsonrpc.decode(raw)
    except ValueError:
        said = None
    if not isinstance(said, dict) or said.get("client_id") != client:
        raise OAuthError("invalid_client", "the document is not about the client that it is at")
    if "client_secret" in said or "client_secret_expires_at" in said:
        raise OAuthError("invalid_client", "a document that everybody reads holds no secret")
    found = rfc7591.registered(said, private, methods=METHODS, default_method="none")
    keys = said.get("jwks")
    if found.method == "private_key_jwt" and not isinstance(keys, dict):
        raise OAuthError("invalid_client", "the document has no jwks for private_key_jwt")
    return found, keys if isinstance(keys, dict) else {}


def kept_for(headers: Mapping[str, str]) -> float:
    """Seconds for which a document may be used without asking again."""
    control = headers.get("cache-control", "").lower()
    age = _MAX_AGE.search(control)
    if "no-store" in control or "no-cache" in control or age is None:
        return SHORTEST
    return min(max(float(age[1]), SHORTEST), LONGEST)
