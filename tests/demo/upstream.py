"""A protected upstream on the official SDK: it takes its provider's tokens, and no others."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import httpx2
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from mcp_types import ToolAnnotations

from tests.support.apps import served_at
from tests.support.oidc_provider import Provider

BOUND: Final = 10.0
SCOPE: Final = "orders:read"


@dataclass(frozen=True)
class Desk:
    """`issuer` says whose tokens it takes. `taken` is every token that opened it."""

    issuer: str
    url: str
    keys: KeySet
    taken: list[str] = field(default_factory=list)

    async def verify_token(self, token: str) -> AccessToken | None:
        checks = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": self.url},
            exp={"essential": True},
        )
        try:
            claims = jwt.decode(token, self.keys, algorithms=["RS256", "ES256"]).claims
            checks.validate(claims)
        except (JoseError, ValueError):
            return None
        self.taken.append(token)
        return AccessToken(
            token=token,
            client_id=str(claims["client_id"]),
            scopes=str(claims.get("scope", "")).split(),
            expires_at=int(claims["exp"]),
            resource=self.url,
            subject=str(claims["sub"]),
        )


def _server(desk: Desk) -> MCPServer:
    # As text: an address that was read already has a slash at its end, and issuers are compared.
    settings = AuthSettings.model_validate(
        {
            "issuer_url": desk.issuer,
            "resource_server_url": desk.url,
            "validate_token_resource": True,
            "required_scopes": [SCOPE],
        }
    )
    server = MCPServer("desk", auth=settings, token_verifier=desk, log_level="ERROR")

    @server.tool(annotations=ToolAnnotations(read_only_hint=True))
    def my_orders() -> str:
        """The orders of whoever calls."""
        shown = get_access_token()
        assert shown
        return f"the orders of {shown.subject}, read with the scopes {' '.join(shown.scopes)}"

    return server


@asynccontextmanager
async def protected_desk(provider: Provider) -> AsyncIterator[Desk]:
    """Serves it until it is left."""
    async with httpx2.AsyncClient(verify=provider.trusted, timeout=BOUND) as http:
        found = (await http.get(f"{provider.url}/.well-known/openid-configuration")).json()
        keys = KeySet.import_key_set((await http.get(found["jwks_uri"])).json())
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
        desk = Desk(provider.url, url, keys)
        async with served_at(_server(desk).streamable_http_app(), listening):
            yield desk
