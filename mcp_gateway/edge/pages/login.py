"""The page by which people log in, and back to the page that sent them."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from mcp_gateway.core.errors import Refusal
from mcp_gateway.edge import asgi
from mcp_gateway.edge.failures import Failures
from mcp_gateway.edge.origins import Origins
from mcp_gateway.edge.pages import cookies
from mcp_gateway.edge.pages.connect import LOGIN, said
from mcp_gateway.edge.pages.connections import PATH as CONNECTIONS
from mcp_gateway.edge.pages.forms import check_token, form_of, once, token_of
from mcp_gateway.edge.pages.page import HEADERS, page
from mcp_gateway.edge.pages.ways import Way
from mcp_gateway.oauth.ports import LogInRefused, Person

LOGOUT: Final = "/oauth/logout"
START: Final = "/oauth/login/start"
"""Where a log-in at the provider begins."""
LIFE: Final = 24 * 3600
"""Seconds that a browser keeps its cookie."""
_BEGUN: Final = "mcpgw-login"
"""Which browser was shown the form."""
_MINUTES: Final = 600
_NEXT: Final = re.compile(
    r"/connect/[A-Za-z0-9_-]{43}|/connections|/oauth/consent\?request=[A-Za-z0-9_-]{43}"
)
"""Where a log-in may lead: pages of the gateway's own, named here."""
_Shown = Callable[[Request], Awaitable[Response]]


class LogIns(Protocol):
    async def log_in(self, person: Person, before: str) -> str:
        """The cookie of who has logged in, in place of the one before.

        Raises Refusal where it cannot be recorded.
        """
        ...

    async def log_out(self, cookie: str) -> None: ...


@dataclass(frozen=True, slots=True)
class LoginPage:
    """Shows the ways that are offered, and takes whoever one of them knows.

    `provider` is what people call where they log in else.
    """

    public: str
    origins: Origins
    browsers: LogIns
    failures: Failures
    ways: Sequence[Way]
    provider: str = ""

    def routes(self) -> Sequence[Route]:
        return [
            Route(LOGIN, self._guarded(self._form), methods=["GET"]),
            Route(LOGIN, self._guarded(self._try), methods=["POST"]),
            Route(LOGOUT, self._guarded(self._leave), methods=["POST"]),
        ]

    async def _form(self, request: Request) -> Response:
        return await self._shown(request, next_of(once(request.url.query)))

    async def _shown(
        self, request: Request, next_: str, problem: str = "", status: int = 200
    ) -> Response:
        ways = [way.field for way in self.ways if await way.offered()]
        if not ways and not self.provider:
            raise asgi.HttpError(403, "nobody can log in here yet")
        begun = cookies.value_of(request, _BEGUN, self.public) or cookies.fresh()
        shown = page(
            "login.html",
            status,
            ways=ways,
            action=f"{LOGIN}?next={quote(next_, safe='')}",
            provider=self.provider,
            start=f"{START}?next={quote(next_, safe='')}",
            token=token_of(begun, LOGIN),
            problem=problem,
        )
        cookies.put(shown, _BEGUN, self.public, begun, _MINUTES)
        return shown

    async def _try(self, request: Request) -> Response:
        next_, form = next_of(once(request.url.query)), await form_of(request)
        check_token(form, cookies.value_of(request, _BEGUN, self.public), LOGIN)
        peer = request.client.host if request.client else ""
        if wait := self.failures.wait(peer):
            words = f"Too many attempts failed. Wait {wait} s."
            return await self._shown(request, next_, words, 429)
        try:
            person = await self._way(form).person(form, peer)
        except LogInRefused as refused:
            self.failures.count(peer, against=not refused.wait)
            return await self._shown(request, next_, str(refused), 429 if refused.wait else 403)
        before = cookies.value_of(request, cookies.BROWSER, self.public)
        cookie = await self.browsers.log_in(person, before)
        answer = RedirectResponse(next_, 303, HEADERS)
        cookies.put(answer, cookies.BROWSER, self.public, cookie, LIFE)
        return answer

    def _way(self, form: Mapping[str, str]) -> Way:
        """Raises HttpError for a form that is none of this page's."""
        for way in self.ways:
            if way.field in form:
                return way
        raise asgi.HttpError(400, "the form is none of this page")

    async def _leave(self, request: Request) -> Response:
        cookie = cookies.value_of(request, cookies.BROWSER, self.public)
        check_token(await form_of(request), cookie, CONNECTIONS)
        await self.browsers.log_out(cookie)
        answer = said("You are logged out", "Close this page, or log in again.", 200)
        answer.delete_cookie(cookies.name_of(cookies.BROWSER, self.public))
        return answer

    def _guarded(self, shown: _Shown) -> _Shown:
        async def guarded(request: Request) -> Response:
            try:
                self.origins.check(asgi.headers_of(request.scope))
                return await shown(request)
            except asgi.HttpError as error:
                return said("This cannot be shown", error.text, error.status)
            except Refusal as refusal:
                return said("You are not logged in", f"{refusal.reason}.", refusal.admin_status)

        return guarded


def next_of(query: dict[str, str]) -> str:
    """Raises HttpError for what is no page of ours: nobody is sent elsewhere from here."""
    found = query.get("next", CONNECTIONS)
    if not _NEXT.fullmatch(found):
        raise asgi.HttpError(400, "this leads to no page of the gateway")
    return found
