"""The pages by which a person connects an upstream: its link, and the way back."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from mcp_gateway.core.errors import Refusal
from mcp_gateway.core.principal import Principal
from mcp_gateway.edge import asgi
from mcp_gateway.edge.origins import Origins
from mcp_gateway.edge.pages import cookies
from mcp_gateway.edge.pages.forms import form_of, once
from mcp_gateway.edge.pages.page import page
from mcp_gateway.edge.pages.visitor import visitor
from mcp_gateway.oauth.ports import Browsers, ConnectFailed
from mcp_gateway.services.connections import LIFE
from mcp_gateway.services.consenting import (
    CALLBACK,
    Consenting,
    LinkOver,
    NotLoggedIn,
    NotTheirs,
)

LOGIN: Final = "/oauth/login"
_Shown = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class ConnectPages:
    """`browsers` tells who is logged in; None where nobody can be."""

    public: str
    origins: Origins
    consenting: Consenting
    browsers: Callable[[], Browsers | None]

    def routes(self) -> Sequence[Route]:
        return [
            Route(CALLBACK, self._guarded(self._back), methods=["GET"]),
            Route("/connect/{ticket}", self._guarded(self._link), methods=["GET"]),
            Route("/connect/{ticket}", self._guarded(self._go_on), methods=["POST"]),
        ]

    async def _link(self, request: Request) -> Response:
        """Shows what is asked for, and starts nothing: who fetches a link ahead does no harm."""
        return await self._asked(request)

    async def _asked(self, request: Request, problem: str = "", status: int = 200) -> Response:
        ticket = request.path_params["ticket"]
        opened = await self.consenting.opened(ticket, await self._person(request))
        answer = page(
            "connect.html",
            status,
            upstream=opened.upstream,
            host=urlsplit(opened.url).netloc,
            scopes=opened.scopes,
            typed=opened.typed,
            problem=problem,
        )
        self._know(request, answer)
        return answer

    async def _go_on(self, request: Request) -> Response:
        form = await form_of(request)
        ticket, person = request.path_params["ticket"], await self._person(request)
        opened = await self.consenting.opened(ticket, person)
        try:
            if opened.typed:
                done = await self.consenting.typed(ticket, person, form.get("secret", ""))
                return _connected(done)
            browser = cookies.value_of(request, cookies.CONNECTING, self.public)
            if not browser:
                return await self._asked(request, "Your browser kept no cookie. Try again.", 400)
            address = await self.consenting.begin(ticket, person, browser)
        except ConnectFailed as failed:
            return await self._asked(request, str(failed), 400)
        host = urlsplit(address).netloc
        answer = page("leaving.html", upstream=opened.upstream, host=host, address=address)
        # No redirect: `form-action` would have to allow where it goes before that is known.
        answer.headers["refresh"] = f"0;url={address}"
        return answer

    async def _back(self, request: Request) -> Response:
        query = once(request.url.query)
        browser = cookies.value_of(request, cookies.CONNECTING, self.public)
        person = await self._person(request)
        return _connected(await self.consenting.finish(query, person, browser))

    async def _person(self, request: Request) -> Principal | None:
        person = await visitor(request, self.browsers(), self.public)
        return person.principal if person else None

    def _know(self, request: Request, answer: Response) -> None:
        """The browser that comes back has to be the one that left."""
        if not cookies.value_of(request, cookies.CONNECTING, self.public):
            cookies.put(answer, cookies.CONNECTING, self.public, cookies.fresh(), 2 * LIFE)

    def _guarded(self, shown: _Shown) -> _Shown:
        async def guarded(request: Request) -> Response:
            try:
                self.origins.check(asgi.headers_of(request.scope))
                return await shown(request)
            except asgi.HttpError as error:
                return said("This cannot be shown", error.text, error.status)
            except NotLoggedIn:
                return self._log_in(request)
            except (LinkOver, NotTheirs, ConnectFailed, Refusal) as fault:
                return _refused(fault)

        return guarded

    def _log_in(self, request: Request) -> Response:
        """To where people log in, and back to this very link."""
        if self.browsers() is None:
            return said("Nobody can log in here", _NO_LOGIN, 403)
        if request.url.path == CALLBACK:
            return said("You are logged in no more", "Log in, and call again for a new link.", 403)
        return RedirectResponse(f"{LOGIN}?next={quote(request.url.path, safe='')}", 303)


_OVER: Final = (
    "It may have been used already, or be older than ten minutes. "
    "Call again from your runtime: it is given a new one."
)
_THEIRS: Final = (
    "It was made for somebody else. Nothing was connected. If you have more than one log-in at "
    "this gateway, log in with the one that your runtime uses."
)
_NO_LOGIN: Final = "This gateway has no log-in for people. Ask its administrator."


def _connected(upstream: str) -> Response:
    text = f"{upstream} is connected to you. Close this page, go back to your runtime, call again."
    return said("Connected", text, 200)


def _refused(fault: Exception) -> Response:
    match fault:
        case LinkOver():
            return said("This link is over", _OVER, 404)
        case NotTheirs():
            return said("This link is not yours", _THEIRS, 403)
        case Refusal():
            return said("It was not connected", f"{fault.reason}.", fault.admin_status)
        case _:
            return said("It was not connected", f"{fault}. Call again for a new link.", 400)


def said(title: str, text: str, status: int) -> Response:
    """A page with nothing to do on it."""
    return page("said.html", status, title=title, text=text)
