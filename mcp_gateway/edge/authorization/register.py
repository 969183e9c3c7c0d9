"""Dynamic client registration (RFC 7591, section 3)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mcp_gateway.config import AuthorizationSection
from mcp_gateway.edge.authorization.answers import Answers, peer_of, preflight, read
from mcp_gateway.limits.bucket import Rate
from mcp_gateway.oauth.server.rfc6749 import OAuthError
from mcp_gateway.services.authorization.clients import Clients
from mcp_gateway.wire import jsonrpc


class Register:
    """Where the configuration lets strangers become clients."""

    def __init__(
        self, answers: Answers, clients: Clients, section: Callable[[], AuthorizationSection]
    ) -> None:
        self._answers = answers
        self._clients = clients
        self._section = section

    def routes(self) -> Sequence[Route]:
        return [
            Route("/oauth/register", self._register, methods=["POST"]),
            Route("/oauth/register", preflight, methods=["OPTIONS"]),
        ]

    async def _register(self, request: Request) -> Response:
        return await self._answers.answered(request, self._registered, 201)

    async def _registered(self, request: Request) -> Mapping[str, Any]:
        section = self._section()
        if not section.registration:
            raise OAuthError("access_denied", "clients are not registered here", 403)
        media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            if media != "application/json":
                raise ValueError("it is not application/json")
            metadata = jsonrpc.decode(await read(request))
        except ValueError as fault:
            raise OAuthError("invalid_client_metadata", f"the body is no JSON: {fault}") from None
        rate = Rate.parse(section.registration_each)
        return await self._clients.register(
            metadata, peer_of(request), rate, section.private_schemes
        )
