"""Revocation (RFC 7009) and introspection (RFC 7662) over HTTP."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mcp_gateway.edge.authorization.answers import Answers, preflight
from mcp_gateway.services.authorization.lookups import Lookups


class LookupEndpoints:
    def __init__(self, answers: Answers, lookups: Lookups) -> None:
        self._answers = answers
        self._lookups = lookups

    def routes(self) -> Sequence[Route]:
        return [
            Route("/oauth/revoke", self._revoke, methods=["POST"]),
            Route("/oauth/revoke", preflight, methods=["OPTIONS"]),
            Route("/oauth/introspect", self._introspect, methods=["POST"]),
        ]

    async def _revoke(self, request: Request) -> Response:
        return await self._answers.answered(request, self._revoked)

    async def _revoked(self, request: Request) -> Mapping[str, Any]:
        """The same answer for what is unknown: who asks learns nothing (section 2.2)."""
        await self._lookups.revoke(*await self._answers.form(request))
        return {}

    async def _introspect(self, request: Request) -> Response:
        return await self._answers.answered(request, self._introspected)

    async def _introspected(self, request: Request) -> Mapping[str, Any]:
        return await self._lookups.introspect(*await self._answers.form(request))
