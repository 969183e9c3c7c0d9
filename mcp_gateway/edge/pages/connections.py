"""The page on which people see what they connected, how it stands, and end it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from mcp_gateway.core.call import Call
from mcp_gateway.core.errors import Refusal
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import Current
from mcp_gateway.edge import asgi
from mcp_gateway.edge.ids import Ids
from mcp_gateway.edge.origins import Origins
from mcp_gateway.edge.pages import cookies
from mcp_gateway.edge.pages.connect import LOGIN, said
from mcp_gateway.edge.pages.forms import check_token, form_of, token_of
from mcp_gateway.edge.pages.page import page
from mcp_gateway.edge.pages.visitor import visitor
from mcp_gateway.oauth.ports import Browsers
from mcp_gateway.wire import jsonrpc

PATH: Final = "/connections"
ACTS: Final = frozenset({"link", "check", "revoke"})
_Shown = Callable[[Request, Principal], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class ConnectionsPage:
    """What it shows and does are calls of its person's: allowed, recorded and refused like any."""

    public: str
    origins: Origins
    current: Current
    browsers: Callable[[], Browsers | None]
    ids: Ids

    def routes(self) -> Sequence[Route]:
        return [
            Route(PATH, self._of_person(self._list), methods=["GET"]),
            Route(PATH, self._of_person(self._act), methods=["POST"]),
        ]

    async def _list(self, request: Request, person: Principal) -> Response:
        return await self._listed(request, person)

    async def _listed(self, request: Request, person: Principal, problem: str = "") -> Response:
        found = await self._run(person, "list", {})
        return page(
            "connections.html",
            name=person.subject,
            connections=found,
            token=token_of(self._cookie(request), PATH),
            problem=problem,
        )

    async def _act(self, request: Request, person: Principal) -> Response:
        form = await form_of(request)
        check_token(form, self._cookie(request), PATH)
        act = form.get("act", "")
        if act not in ACTS:
            raise asgi.HttpError(400, "nobody can do that here")
        try:
            done = await self._run(person, act, {"server": form.get("server", "")})
        except Refusal as refusal:
            return await self._listed(request, person, f"{refusal.reason}.")
        return RedirectResponse(done["url"] if act == "link" else PATH, 303)

    async def _run(self, person: Principal, act: str, arguments: Mapping[str, Any]) -> Any:
        """Raises Refusal."""
        snapshot = self.current.of(person.tenant)
        if snapshot is None:
            raise asgi.HttpError(403, "this gateway does not serve your tenant")
        asked = {"name": f"connections.{act}", "arguments": arguments}
        call = Call(
            id=self.ids.new(),
            method="operations/call",
            params=jsonrpc.body(jsonrpc.encode(asked)),
            principal=person,
            snapshot=snapshot,
        )
        return (await snapshot.chain(call)).view()["value"]

    def _cookie(self, request: Request) -> str:
        return cookies.value_of(request, cookies.BROWSER, self.public)

    def _of_person(self, shown: _Shown) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            try:
                self.origins.check(asgi.headers_of(request.scope))
                browsers = self.browsers()
                person = await visitor(request, browsers, self.public)
                if browsers is None:
                    return said("Nobody can log in here", "Ask the gateway's administrator.", 403)
                if person is None:
                    return RedirectResponse(f"{LOGIN}?next=%2Fconnections", 303)
                return await shown(request, person.principal)
            except asgi.HttpError as error:
                return said("This cannot be shown", error.text, error.status)
            except Refusal as refusal:
                return said("This cannot be shown", f"{refusal.reason}.", refusal.admin_status)

        return guarded
