"""Authorization server metadata (RFC 8414), with what RFC 9207, CIMD and ID-JAG add."""

from collections.abc import Mapping
from typing import Any, Final

from mcp_gateway.oauth.server.rfc7636 import METHOD

CODE: Final = "authorization_code"
REFRESH: Final = "refresh_token"
CLIENT: Final = "client_credentials"
ASSERTION: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ID_JAG: Final = "urn:ietf:params:oauth:grant-profile:id-jag"
METHODS: Final = ("none", "client_secret_basic", "client_secret_post", "private_key_jwt")
SIGNING: Final = ("ES256", "RS256", "PS256", "Ed25519")
"""By which clients and identity providers may sign what they assert of themselves."""


def metadata(
    issuer: str, scopes: frozenset[str], *, registration: bool, documents: bool, assertions: bool
) -> Mapping[str, Any]:
    """What clients find: `documents` says whether an https URL is a client id."""
    found: dict[str, Any] = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "token_endpoint": f"{issuer}/oauth/token",
        "jwks_uri": f"{issuer}/oauth/jwks",
        "revocation_endpoint": f"{issuer}/oauth/revoke",
        "introspection_endpoint": f"{issuer}/oauth/introspect",
        "scopes_supported": sorted(scopes),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": [CODE, REFRESH, CLIENT, *([ASSERTION] if assertions else [])],
        "code_challenge_methods_supported": [METHOD],
        "authorization_response_iss_parameter_supported": True,
        "client_id_metadata_document_supported": documents,
    }
    for endpoint in ("token", "revocation", "introspection"):
        methods = METHODS[1:] if endpoint == "introspection" else METHODS
        found[f"{endpoint}_endpoint_auth_methods_supported"] = list(methods)
        found[f"{endpoint}_endpoint_auth_signing_alg_values_supported"] = list(SIGNING)
    if registration:
        found["registration_endpoint"] = f"{issuer}/oauth/register"
    if assertions:
        found["authorization_grant_profiles_supported"] = [ID_JAG]
    return found
