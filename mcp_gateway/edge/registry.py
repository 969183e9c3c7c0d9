"""`/v0.1/servers`: the API of registries, to read only."""

import base64
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mcp_gateway.core.call import Call
from mcp_gateway.core.snapshot import Current
from mcp_gateway.edge import asgi
from mcp_gateway.edge.ids import Ids
from mcp_gateway.edge.mcp import Authenticator
from mcp_gateway.edge.origins import Origins
from mcp_gateway.services.registry import LATEST, Registry, known_to
from mcp_gateway.wire import jsonrpc

PATH: Final = "/v0.1/servers"
RESOURCE: Final = "/mcp"
"""The endpoint whose tokens are shown here, and whose metadata a challenge names."""
USUAL: Final = 30
MOST: Final = 100
LONGEST: Final = 256
"""Characters of a parameter."""


@dataclass(frozen=True, slots=True)
class RegistryEdge:
    """With `public` anybody reads everything; else each caller what they may know of."""

    current: Current
    authenticator: Authenticator
    origins: Origins
    registry: Registry
    ids: Ids
    public: bool

    def routes(self) -> Sequence[Route]:
        answers = (
            (PATH, self._list),
            (PATH + "/{name:path}/versions", self._versions),
            (PATH + "/{name:path}/versions/{version}", self._version),
        )
        return [self._route(path, answer) for path, answer in answers]

    def _route(self, path: str, answer: Callable[[Request, AbstractSet[str]], Response]) -> Route:
        async def run(request: Request) -> Response:
            shared: dict[str, str] = {}
            try:
                headers = asgi.headers_of(request.scope)
                shared = self._shared(headers)
                if request.method == "OPTIONS":
                    return Response(status_code=204, headers=shared)
                response = answer(request, self._known(headers, request))
            except asgi.HttpError as error:
                said = {name.decode(): text.decode("latin-1") for name, text in error.headers}
                response = _json(error.status, {"error": error.text}, said)
            response.headers.update(shared)
            return response

        return Route(path, run, methods=["GET", "OPTIONS"])

    def _shared(self, headers: asgi.Headers) -> dict[str, str]:
        """Which pages may read it. Raises HttpError for one that may not, unless it is public."""
        if self.public:
            allowed = "*"
        else:
            self.origins.check(headers)
            allowed = headers.get(b"origin", b"").decode("latin-1")
        return {
            **({"access-control-allow-origin": allowed} if allowed else {}),
            "access-control-allow-methods": "GET, OPTIONS",
            "access-control-allow-headers": "authorization, content-type",
            "vary": "origin, authorization",
            "cache-control": "no-store",
        }

    def _known(self, headers: asgi.Headers, request: Request) -> AbstractSet[str]:
        """Which servers there are for who asks. Raises HttpError."""
        if self.public:
            return self.registry.servers.keys()
        peer = request.client.host if request.client else ""
        principal = self.authenticator.authenticate(headers, RESOURCE, peer)
        snapshot = self.current.of(principal.tenant)
        if snapshot is None:
            raise asgi.HttpError(403, "this gateway does not serve your tenant")
        call = Call(
            id=self.ids.new(),
            method="tools/list",
            params=jsonrpc.body(b"{}"),
            principal=principal,
            snapshot=snapshot,
        )
        return known_to(call) & self.registry.servers.keys()

    def _list(self, request: Request, known: AbstractSet[str]) -> Response:
        asked = request.query_params
        if any(len(value) > LONGEST for value in asked.values()):
            raise asgi.HttpError(400, f"a parameter has at most {LONGEST} characters")
        limit = _limit(asked.get("limit", str(USUAL)))
        names = known if self.registry.is_version(asked.get("version", LATEST)) else ()
        after = _after(asked.get("cursor", ""))
        page = self.registry.page(names, after, limit, asked.get("search", ""))
        return self._listed(page.names, _cursor(page.last))

    def _versions(self, request: Request, known: AbstractSet[str]) -> Response:
        return self._listed([self._found(request, known)])

    def _version(self, request: Request, known: AbstractSet[str]) -> Response:
        server = self._found(request, known)
        if not self.registry.is_version(request.path_params["version"]):
            raise asgi.HttpError(404, "Server not found")
        return _json(200, self.registry.entry(server))

    def _listed(self, names: Sequence[str], cursor: str = "") -> Response:
        found = [self.registry.entry(name) for name in names]
        metadata: dict[str, object] = {"count": len(found)}
        if cursor:
            metadata["nextCursor"] = cursor
        return _json(200, {"servers": found, "metadata": metadata})

    def _found(self, request: Request, known: AbstractSet[str]) -> str:
        """The server of a name. One that the caller may not know of is like one that is not."""
        asked = request.path_params["name"]
        server = asked.rpartition("/")[2]
        if asked != self.registry.name_of(server) or server not in known:
            raise asgi.HttpError(404, "Server not found")
        return str(server)


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= MOST):
        raise asgi.HttpError(400, f"limit is a whole number from 1 to {MOST}")
    return int(text)


def _cursor(last: str) -> str:
    return base64.urlsafe_b64encode(last.encode()).decode()


def _after(cursor: str) -> str:
    try:
        return base64.b64decode(cursor.encode(), b"-_", validate=True).decode()
    except ValueError:
        raise asgi.HttpError(400, "the cursor is none of this list's") from None


def _json(status: int, value: object, headers: dict[str, str] | None = None) -> Response:
    return Response(jsonrpc.encode(value), status, headers, media_type="application/json")
