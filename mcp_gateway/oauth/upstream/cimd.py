"""The gateway's own client document (OAuth Client ID Metadata Document)."""

from collections.abc import Mapping
from typing import Any, Final

PATH: Final = "/oauth/client.json"
NAME: Final = "MCP gateway"


def address(public: str, configured: str) -> str:
    """The client id that is an address; empty where nobody could fetch it (it must be https)."""
    if configured:
        return configured
    return public.rstrip("/") + PATH if public.startswith("https://") else ""


def document(public: str, callback: str) -> Mapping[str, Any]:
    """What a server finds there. A public client: no secret is in a document that all may read."""
    return {
        "client_id": public.rstrip("/") + PATH,
        "client_name": NAME,
        "client_uri": public,
        "redirect_uris": [callback],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "application_type": "web",
    }
