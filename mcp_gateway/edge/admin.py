"""Operations as HTTP: each request is a call through the same chain as any other."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mcp_gateway.core.call import Call, Next
from mcp_gateway.core.errors import Refusal
from mcp_gateway.core.snapshot import Current
from mcp_gateway.edge import asgi
from mcp_gateway.edge.ids import Ids
from mcp_gateway.edge.mcp import Authenticator
from mcp_gateway.edge.origins import Origins
from mcp_gateway.edge.refusals import words
from mcp_gateway.services.operations import OPERATIONS
from mcp_gateway.wire import jsonrpc


class AdminEdge:
    """`/admin/...`, a route for each line of the table."""

    def __init__(
        self,
        current: Current,
        authenticator: Authenticator,
        answer: Next,
        origins: Origins,
        contact: str,
    ) -> None:
        self._current = current
        self._authenticator = authenticator
        self._answer = answer
        self._origins = origins
        self._contact = contact
        self._ids = Ids()

    def routes(self) -> Sequence[Route]:
        return [self._route(name) for name in OPERATIONS]

    def _route(self, name: str) -> Route:
        method, _, path = OPERATIONS[name].route.partition(" ")

        async def run(request: Request) -> Response:
            try:
                return await self._run(name, request)
            except asgi.HttpError as error:
                headers = {k.decode(): v.decode() for k, v in error.headers}
                return _json(error.status, {"error": error.text}, headers)

        return Route(f"/admin{path}", run, methods=[method], name=name)

    async def _run(self, name: str, request: Request) -> Response:
        headers = asgi.headers_of(request.scope)
        self._origins.check(headers)
        peer = request.client.host if request.client else ""
        principal = self._authenticator.authenticate(headers, request.url.path, peer)
        snapshot = self._current.of(principal.tenant)
        if snapshot is None:
            raise asgi.HttpError(403, "this gateway does not serve your tenant")
        body = await request.body() or b"{}"
        try:
            arguments = jsonrpc.parse(jsonrpc.request(b"1", "operations/call", body)).params
        except jsonrpc.Malformed as fault:
            raise asgi.HttpError(400, fault.message) from None
        params = b'{"name":%b,"arguments":%b}' % (jsonrpc.encode(name), arguments.raw)
        call = Call(
            id=self._ids.new(),
            method="operations/call",
            params=jsonrpc.body(params),
            principal=principal,
            snapshot=snapshot,
        )
        try:
            result = await self._answer(call)
        except Refusal as refusal:
            said = {"error": words(call, refusal, self._contact), "call": call.id}
            return _json(refusal.admin_status, said, {})
        return _json(200, result.view()["value"], {})


def _json(status: int, value: object, headers: dict[str, str]) -> Response:
    return Response(jsonrpc.encode(value), status, headers, media_type="application/json")
