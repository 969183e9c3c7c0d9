"""The identity provider that vouches for people towards other servers, and the client there."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.oauth.documents import DocumentError
from mcp_gateway.oauth.ports import GrantOptions, Wanted
from mcp_gateway.oauth.upstream.client import Client, configured
from mcp_gateway.oauth.upstream.discovery import Discovery
from mcp_gateway.oauth.upstream.rfc8414 import AuthorizationServer


@dataclass(frozen=True, slots=True)
class Provider:
    server: AuthorizationServer
    client: Client


class Providers:
    """Finds the provider: the one that people log in at, where the grant names no other.

    `known` gives the issuer for who is known by one, and the client that the gateway is there.
    """

    def __init__(
        self, discovery: Discovery, known: Callable[[str], tuple[str, GrantOptions]]
    ) -> None:
        self._discovery = discovery
        self._known = known

    async def of(self, wanted: Wanted) -> Provider:
        """Raises UpstreamFailed where none is configured, or it cannot be asked."""
        issuer, options = self._known(wanted.principal.issuer)
        endpoint = wanted.options.provider
        if not options.client:
            options = wanted.options
        if not issuer and not endpoint:
            raise UpstreamFailed(
                f"{wanted.server}: its grant needs a provider, or the gateway one to log in at",
                sent=False,
            )
        try:
            server = await self._server(issuer, endpoint)
            return Provider(server, configured(options, server))
        except (DocumentError, ValueError) as error:
            raise UpstreamFailed(f"{wanted.server}: {error}", sent=False) from None

    async def _server(self, issuer: str, endpoint: str) -> AuthorizationServer:
        """Where only the endpoint is configured, its address is the audience of an assertion."""
        if not issuer:
            return AuthorizationServer(endpoint, token=endpoint)
        found = await self._discovery.server(issuer, issuer, GrantOptions(issuer=issuer))
        return replace(found, token=endpoint or found.token)
