"""The authorization endpoint: a browser comes from a client, and goes on to a page of ours."""

from collections.abc import Callable, Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from mcp_gateway.edge.asgi import HttpError
from mcp_gateway.edge.authorization.answers import Answers, peer_of
from mcp_gateway.edge.pages import cookies
from mcp_gateway.oauth.server.rfc6749 import OAuthError, Parameters
from mcp_gateway.services.authorization.requests import WAITS, Requests

GUARDED: Final = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


class Authorize:
    """`GET /oauth/authorize`. What cannot be redirected is said to the person, in plain text."""

    def __init__(self, answers: Answers, requests: Requests, public: Callable[[], str]) -> None:
        self._answers = answers
        self._requests = requests
        self._public = public

    def routes(self) -> Sequence[Route]:
        return [Route("/oauth/authorize", self._authorize)]

    async def _authorize(self, request: Request) -> Response:
        try:
            self._answers.check_host(request)
            return await self._begun(request)
        except HttpError as error:
            return _told(error.text, error.status)
        except OAuthError as error:
            return _told(f"This log-in cannot begin: {error.description}.", error.status)

    async def _begun(self, request: Request) -> Response:
        asked, public = Parameters.parse(request.url.query), self._public()
        browser = cookies.value_of(request, cookies.AUTHORIZING, public) or cookies.fresh()
        where = await self._requests.begin(asked, browser, peer_of(request))
        answer = RedirectResponse(where, 303, GUARDED)
        cookies.put(answer, cookies.AUTHORIZING, public, browser, WAITS)
        return answer


def _told(text: str, status: int) -> Response:
    """401 would have the browser ask for a password."""
    return PlainTextResponse(f"{text}\n", 400 if status == 401 else status, GUARDED)
