"""To the provider at which people log in, and back from it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from mcp_gateway.core.errors import Refusal
from mcp_gateway.edge import asgi
from mcp_gateway.edge.failures import Failures
from mcp_gateway.edge.origins import Origins
from mcp_gateway.edge.pages import cookies
from mcp_gateway.edge.pages.connect import said
from mcp_gateway.edge.pages.forms import once
from mcp_gateway.edge.pages.login import LIFE, START, LogIns, next_of
from mcp_gateway.edge.pages.page import HEADERS
from mcp_gateway.oauth.ports import Person
from mcp_gateway.services.logins import CALLBACK, WAITS
from mcp_gateway.services.relying_party import LoginFailed

_BEGUN: Final = "mcpgw-provider"
"""Which browser was sent to the provider."""
_Shown = Callable[[Request, str], Awaitable[Response]]


class AtProvider(Protocol):
    async def begin(self, next_: str, browser: str, peer: str) -> str:
        """Where the browser goes. Raises LoginFailed."""
        ...

    async def finish(self, query: Mapping[str, str], browser: str) -> tuple[Person, str]:
        """Who came back, and the page that they wanted. Raises LoginFailed."""
        ...


@dataclass(frozen=True, slots=True)
class ProviderPages:
    """They show nothing but what went wrong: all else is said at the provider."""

    public: str
    origins: Origins
    provider: AtProvider
    browsers: LogIns
    failures: Failures

    def routes(self) -> Sequence[Route]:
        return [
            Route(START, self._guarded(self._leave), methods=["GET"]),
            Route(CALLBACK, self._guarded(self._back), methods=["GET"]),
        ]

    async def _leave(self, request: Request, peer: str) -> Response:
        browser = cookies.value_of(request, _BEGUN, self.public) or cookies.fresh()
        where = await self.provider.begin(next_of(once(request.url.query)), browser, peer)
        answer = RedirectResponse(where, 303, HEADERS)
        cookies.put(answer, _BEGUN, self.public, browser, WAITS)
        return answer

    async def _back(self, request: Request, peer: str) -> Response:
        if wait := self.failures.wait(peer):
            raise asgi.HttpError(429, f"too many attempts failed: wait {wait} s")
        browser = cookies.value_of(request, _BEGUN, self.public)
        try:
            person, next_ = await self.provider.finish(once(request.url.query), browser)
        except LoginFailed:
            self.failures.count(peer)
            raise
        before = cookies.value_of(request, cookies.BROWSER, self.public)
        cookie = await self.browsers.log_in(person, before)
        answer = RedirectResponse(next_, 303, HEADERS)
        cookies.put(answer, cookies.BROWSER, self.public, cookie, LIFE)
        return answer

    def _guarded(self, shown: _Shown) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            try:
                self.origins.check(asgi.headers_of(request.scope))
                return await shown(request, request.client.host if request.client else "")
            except asgi.HttpError as error:
                return said("This cannot be shown", error.text, error.status)
            except LoginFailed as failed:
                return said("You are not logged in", _sentence(failed), 403)
            except Refusal as refusal:
                return said("You are not logged in", f"{refusal.reason}.", refusal.admin_status)

        return guarded


def _sentence(failed: LoginFailed) -> str:
    text = f"{failed}."
    return text[0].upper() + text[1:]
