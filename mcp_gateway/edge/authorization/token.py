"""The token endpoint (RFC 6749, section 3.2)."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mcp_gateway.edge.authorization.answers import Answers, preflight
from mcp_gateway.services.authorization.tokens import Tokens


class TokenEndpoint:
    def __init__(self, answers: Answers, tokens: Tokens) -> None:
        self._answers = answers
        self._tokens = tokens

    def routes(self) -> Sequence[Route]:
        return [
            Route("/oauth/token", self._token, methods=["POST"]),
            Route("/oauth/token", preflight, methods=["OPTIONS"]),
        ]

    async def _token(self, request: Request) -> Response:
        return await self._answers.answered(request, self._minted)

    async def _minted(self, request: Request) -> Mapping[str, Any]:
        return await self._tokens(*await self._answers.form(request))
