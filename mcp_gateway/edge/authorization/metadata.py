"""The documents in which clients find the authorization server, and its keys."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mcp_gateway.core.errors import Refusal
from mcp_gateway.edge.authorization.answers import Answers, preflight, refused, said
from mcp_gateway.oauth.server.rfc6749 import OAuthError

PLACES: Final = (
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
)
"""The issuer has no path, so neither has a suffix: what clients try besides is not there."""


class Metadata:
    """`document` and `keys` say what is published now."""

    def __init__(
        self,
        answers: Answers,
        document: Callable[[], Mapping[str, Any]],
        keys: Callable[[], Awaitable[Mapping[str, Any]]],
    ) -> None:
        self._answers = answers
        self._document = document
        self._keys = keys

    def routes(self) -> Sequence[Route]:
        places = (*PLACES, "/oauth/jwks")
        return [
            *(Route(place, self._about) for place in PLACES),
            Route("/oauth/jwks", self._jwks),
            *(Route(place, preflight, methods=["OPTIONS"]) for place in places),
        ]

    async def _about(self, request: Request) -> Response:
        return self._published(request, self._document())

    async def _jwks(self, request: Request) -> Response:
        try:
            return self._published(request, await self._keys())
        except Refusal:
            return refused(OAuthError("temporarily_unavailable", "there is no key yet", 503))

    def _published(self, request: Request, document: Mapping[str, Any]) -> Response:
        self._answers.check_host(request)
        answer = said(document)
        del answer.headers["pragma"]
        answer.headers["cache-control"] = "public, max-age=60"
        return answer
