"""Where an issuer tells of log-outs (OpenID Connect Back-Channel Logout 1.0, section 2.5)."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from joserfc.jwk import KeySet
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mcp_gateway.edge.authorization.answers import Answers
from mcp_gateway.edge.failures import Failures
from mcp_gateway.oauth.backchannel import Expected, LogOut
from mcp_gateway.oauth.server.rfc6749 import OAuthError, invalid_request
from mcp_gateway.oauth.server.rfc7523 import AssertionRefused
from mcp_gateway.services.logouts import LogOuts, Replayed

PATH: Final = "/oauth/backchannel/issuer"


class Backchannel:
    """`keys` gives those of the issuer, None before they are there; `want` asks for newer ones."""

    def __init__(
        self,
        answers: Answers,
        failures: Failures,
        expected: Expected,
        logouts: LogOuts,
        keys: Callable[[], KeySet | None],
        want: Callable[[], None],
    ) -> None:
        self._answers = answers
        self._failures = failures
        self._expected = expected
        self._logouts = logouts
        self._keys = keys
        self._want = want

    def routes(self) -> Sequence[Route]:
        return [Route(PATH, self._told, methods=["POST"])]

    async def _told(self, request: Request) -> Response:
        return await self._answers.answered(request, self._taken)

    async def _taken(self, request: Request) -> Mapping[str, Any] | None:
        """Nothing, once it is in force (section 2.8). Raises OAuthError, Refusal."""
        form, _, peer = await self._answers.form(request)
        logout = self._read(form.need("logout_token"), peer)
        try:
            await self._logouts.heard(logout)
        except Replayed:
            raise invalid_request("this log-out was told before") from None
        return None

    def _read(self, token: str, peer: str) -> LogOut:
        keys = self._keys()
        if keys is None:
            raise OAuthError("temporarily_unavailable", "the keys of the issuer are not there", 503)
        try:
            return self._expected.read(token, keys, time.time())
        except AssertionRefused as refused:
            self._failures.count(peer)
            self._want()
            raise invalid_request(str(refused)) from None
