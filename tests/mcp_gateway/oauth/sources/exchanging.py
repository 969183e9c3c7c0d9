"""What the sources are given that ask a server for tokens, on a real server of each test."""

from dataclasses import replace
from typing import Any

from mcp_gateway.core.credential import Grant, GrantKind, Shown
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.secret import Secret
from mcp_gateway.oauth.ports import GrantOptions, Wanted
from mcp_gateway.oauth.sources.asking import Asking
from mcp_gateway.oauth.sources.subject import Subjects
from mcp_gateway.oauth.upstream.discovery import Discovery
from mcp_gateway.oauth.upstream.rfc6749 import TokenEndpoint
from mcp_gateway.wire.http import HttpClient
from tests.support.identity_provider import CLIENT, SECRET, Authority

UPSTREAM = "http://127.0.0.1:9/mcp"
READ = frozenset({"orders:read"})


def asking(http: HttpClient) -> Asking:
    return Asking(Discovery(http), TokenEndpoint(http))


async def nobody(_: Principal) -> Secret | None:
    """Where nobody has logged in."""
    return None


def subjects_of(server: Authority) -> Subjects:
    """Where callers show tokens of this server alone."""
    return Subjects(lambda: server.url, nobody)


def options_of(server: Authority, **more: Any) -> GrantOptions:
    found = GrantOptions(
        client=CLIENT, client_secret=lambda: SECRET, issuer=server.url, resource=UPSTREAM
    )
    return replace(found, **more)


def wanted_of(
    kind: GrantKind, options: GrantOptions, issuer: str = "", token: str = "", **more: Any
) -> Wanted:
    ada = Principal(issuer or "local", "ada", "acme", client="runtime")
    grant = Grant(kind, scopes=READ)
    found = Wanted("orders", UPSTREAM, grant, options, ada, Shown(f"Bearer {token}".encode()), READ)
    return replace(found, **more)
