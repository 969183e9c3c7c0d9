"""The page on which a person lets a program act for them, or does not."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from mcp_gateway.core.errors import Refusal
from mcp_gateway.edge import asgi
from mcp_gateway.edge.origins import Origins
from mcp_gateway.edge.pages import cookies
from mcp_gateway.edge.pages.connect import LOGIN, said
from mcp_gateway.edge.pages.forms import check_token, form_of, once, token_of
from mcp_gateway.edge.pages.page import page
from mcp_gateway.edge.pages.visitor import visitor
from mcp_gateway.oauth.ports import (
    Asking,
    AuthorizationFailed,
    Authorizing,
    Browsers,
    Person,
)

PATH: Final = "/oauth/consent"
_Shown = Callable[[Request], Awaitable[Response]]
_OVER: Final = "Log in again from your program: it begins anew."


@dataclass(frozen=True, slots=True)
class ConsentPage:
    """Always shown: nothing is allowed by a cookie alone, nor by what was allowed before."""

    public: str
    origins: Origins
    authorizing: Authorizing
    browsers: Callable[[], Browsers | None]

    def routes(self) -> Sequence[Route]:
        return [
            Route(PATH, self._guarded(self._ask), methods=["GET"]),
            Route(PATH, self._guarded(self._answer), methods=["POST"]),
        ]

    async def _ask(self, request: Request) -> Response:
        id_, browser = self._asked_of(request)
        asking = await self.authorizing.asked(id_, browser)
        person = await self._person(request)
        here = f"{PATH}?request={id_}"
        to_log_in = f"{LOGIN}?next={quote(here, safe='')}"
        if person is None:
            return RedirectResponse(to_log_in, 303)
        return page(
            "consent.html",
            onward=asking.form_action,
            asking=asking,
            scopes=sorted(asking.scopes),
            person=person.name,
            action=here,
            others=to_log_in,
            token=_token(browser, id_, asking, person),
        )

    async def _answer(self, request: Request) -> Response:
        id_, browser = self._asked_of(request)
        form, person = await form_of(request), await self._person(request)
        if person is None:
            raise asgi.HttpError(403, "nobody is logged in: open the page again")
        asking = await self.authorizing.asked(id_, browser)
        check_token(form, *_bound(browser, id_, asking, person))
        if form.get("answer") == "yes":
            return RedirectResponse(await self.authorizing.approve(id_, browser, person), 303)
        return RedirectResponse(await self.authorizing.deny(id_, browser, person), 303)

    def _asked_of(self, request: Request) -> tuple[str, str]:
        """The request, and the browser that it began in."""
        query = once(request.url.query)
        return query.get("request", ""), cookies.value_of(request, cookies.AUTHORIZING, self.public)

    async def _person(self, request: Request) -> Person | None:
        return await visitor(request, self.browsers(), self.public)

    def _guarded(self, shown: _Shown) -> _Shown:
        async def guarded(request: Request) -> Response:
            try:
                self.origins.check(asgi.headers_of(request.scope))
                return await shown(request)
            except asgi.HttpError as error:
                return said("This cannot be shown", error.text, error.status)
            except AuthorizationFailed as failed:
                text = f"{failed}. {_OVER}"
                return said("Nothing waits for you here", text[0].upper() + text[1:], 404)
            except Refusal as refusal:
                return said("Nothing was allowed", f"{refusal.reason}.", refusal.admin_status)

        return guarded


def _bound(browser: str, id_: str, asking: Asking, person: Person) -> tuple[str, str]:
    """What a form is bound to: the browser, the request, the client, and who was asked."""
    return browser, f"{PATH}\0{id_}\0{asking.client}\0{person.by}"


def _token(browser: str, id_: str, asking: Asking, person: Person) -> str:
    return token_of(*_bound(browser, id_, asking, person))
