"""Workloads: programs that act for themselves (RFC 6749, section 4.4)."""

from typing import Final

from mcp_gateway.config import Settings
from mcp_gateway.core.principal import Principal
from mcp_gateway.oauth.server import rfc8707
from mcp_gateway.oauth.server.rfc6749 import OAuthError, Parameters, scopes_of
from mcp_gateway.oauth.server.rfc8414 import CLIENT
from mcp_gateway.services.authorization import offer
from mcp_gateway.services.authorization.client import Client
from mcp_gateway.services.authorization.minting import Grant

ISSUER: Final = "client"
"""The issuer of subjects that are programs: policies name them `client|<name>`."""


def workload(client: Client, form: Parameters, settings: Settings) -> Grant:
    """What a program gets: no more than its section says. Raises OAuthError."""
    asked = scopes_of(form.get("scope"))
    if asked - client.scopes:
        raise OAuthError("invalid_scope", "the client has none of these scopes")
    principal = Principal(
        ISSUER,
        client.id,
        settings.gateway.tenant,
        client=client.id,
        roles=client.roles,
        scopes=asked or client.scopes,
        mode=client.mode,
    )
    return Grant(
        CLIENT,
        principal,
        rfc8707.chosen(form.resources, offer.endpoints(settings), offer.whole(settings)),
    )
