"""Introspection (RFC 7662): whether a token is still good, asked where it was issued."""

from collections.abc import Callable
from typing import Final

from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.oauth.ports import GrantOptions
from mcp_gateway.oauth.upstream.client import configured
from mcp_gateway.oauth.upstream.rfc6749 import TokenEndpoint
from mcp_gateway.oauth.upstream.rfc8414 import AuthorizationServer

_HINT: Final = ("token_type_hint", "access_token")


class Introspection:
    """Asks one issuer, as its client `client_secret_basic`.

    `options` gives the gateway's client there; its secret is read anew for each question.
    """

    def __init__(
        self, http: TokenEndpoint, url: str, issuer: str, options: Callable[[], GrantOptions]
    ) -> None:
        self._http = http
        self._url = url
        self._server = AuthorizationServer(issuer)
        self._options = options

    @property
    def issuer(self) -> str:
        return self._server.issuer

    async def is_active(self, token: str) -> bool:
        """Whether the issuer says that it is. What is no clear answer is none.

        Raises UpstreamFailed, UpstreamTimedOut; neither repeats the token.
        """
        try:
            client = configured(self._options(), self._server)
        except ValueError as error:
            raise UpstreamFailed(f"{self.issuer} cannot be asked: {error}") from None
        form = (("token", token), _HINT)
        status, found = await self._http.post(self._url, self._server, client, form)
        said = found.get("active")
        if status != 200 or not isinstance(said, bool):
            raise UpstreamFailed(f"{self.issuer} does not say whether a token is good: {status}")
        return said
