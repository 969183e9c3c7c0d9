"""Dynamic client registration (RFC 7591): the gateway makes itself known to a server."""

from collections.abc import Mapping
from typing import Any, Final

from mcp_gateway.core.secret import Secret
from mcp_gateway.oauth.documents import DocumentError, check
from mcp_gateway.oauth.upstream import scopes
from mcp_gateway.oauth.upstream.cimd import NAME
from mcp_gateway.oauth.upstream.client import PUBLIC, Client, registered_method
from mcp_gateway.oauth.upstream.rfc8414 import AuthorizationServer
from mcp_gateway.wire import jsonrpc
from mcp_gateway.wire.failures import HttpFailed
from mcp_gateway.wire.http import HttpClient

WITHIN: Final = 10.0
MOST: Final = 64 * 1024
_JSON: Final = (("content-type", "application/json"), ("accept", "application/json"))


async def register(
    server: AuthorizationServer, callback: str, wanted: frozenset[str], http: HttpClient
) -> tuple[Client, int]:
    """The client, and when its secret ends (Unix seconds, 0 for never). Raises DocumentError."""
    asked = metadata(server, callback, wanted)
    try:
        check(server.register, server.register)
        body = jsonrpc.encode(asked)
        request = ("POST", server.register, _JSON, body)
        async with http.stream(*request, timeout=WITHIN) as response:
            content = await response.read(MOST, WITHIN)
            if response.status not in (200, 201):
                raise DocumentError(
                    f"{server.issuer} does not register the gateway: it answered {response.status}"
                )
        return _client(jsonrpc.decode(content), str(asked["token_endpoint_auth_method"]))
    except (HttpFailed, ValueError) as error:
        raise DocumentError(f"{server.issuer} does not register the gateway: {error}") from None


def metadata(
    server: AuthorizationServer, callback: str, wanted: frozenset[str]
) -> Mapping[str, Any]:
    """What the gateway says of itself: a program on a server, with one redirect."""
    said: dict[str, Any] = {
        "client_name": NAME,
        "redirect_uris": [callback],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": registered_method(server),
        "application_type": "web",
    }
    # A scope of a resource is unknown to some servers, which then register nobody.
    known = wanted <= server.scopes or not server.scopes
    return said | ({"scope": scopes.text(wanted)} if wanted and known else {})


def _client(found: Any, asked: str) -> tuple[Client, int]:
    """Raises ValueError for an answer that is no registration."""
    if not isinstance(found, dict) or not isinstance(found.get("client_id"), str):
        raise ValueError("its answer has no client_id")  # noqa: TRY004  # of an answer
    secret, ends = found.get("client_secret", ""), found.get("client_secret_expires_at", 0)
    method = found.get("token_endpoint_auth_method", asked)
    if not isinstance(secret, str) or not isinstance(method, str):
        raise ValueError("its answer cannot be read")  # noqa: TRY004  # of an answer
    if method != PUBLIC and not secret:
        raise ValueError(f"it registers for {method}, and gives no secret")
    return Client(found["client_id"], method, Secret(secret)), ends if type(ends) is int else 0
