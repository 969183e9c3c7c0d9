"""Pushed authorization requests (RFC 9126): nothing of the request is in the browser's address."""

from collections.abc import Sequence

from mcp_gateway.oauth.documents import DocumentError
from mcp_gateway.oauth.upstream.client import Client
from mcp_gateway.oauth.upstream.rfc6749 import TokenEndpoint
from mcp_gateway.oauth.upstream.rfc8414 import AuthorizationServer


async def pushed(
    server: AuthorizationServer,
    client: Client,
    parameters: Sequence[tuple[str, str]],
    endpoint: TokenEndpoint,
) -> Sequence[tuple[str, str]]:
    """What stands for the parameters in the address. Raises DocumentError, UpstreamFailed."""
    sent = [pair for pair in parameters if pair[0] != "client_id" or client.method != "none"]
    status, found = await endpoint.post(server.push, server, client, sent)
    name = found.get("request_uri")
    if status not in (200, 201) or not isinstance(name, str):
        raise DocumentError(f"{server.issuer} does not take a pushed request: it answered {status}")
    return [("client_id", client.id), ("request_uri", name)]
