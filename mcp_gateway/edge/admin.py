"""Operations as HTTP: each request is a call through the same chain as any other."""

import logging
from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mcp_gateway.core.call import Call, Next
from mcp_gateway.core.credential import Shown
from mcp_gateway.core.errors import InsufficientScope, Refusal
from mcp_gateway.core.snapshot import Current
from mcp_gateway.edge import asgi
from mcp_gateway.edge.ids import Ids
from mcp_gateway.edge.mcp import Authenticator
from mcp_gateway.edge.origins import Origins
from mcp_gateway.edge.refusals import retry_after, words
from mcp_gateway.services.operations import OPERATIONS
from mcp_gateway.wire import jsonrpc

log = logging.getLogger(__name__)
LARGEST: Final = 64 * 1024
"""Bytes of the largest body of an operation."""
RESOURCE: Final = "/mcp"
"""The endpoint whose tokens an administrator shows, and whose metadata a challenge names."""


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
                return _json(error.status, {"error": error.text}, error.headers)

        return Route(f"/admin{path}", run, methods=[method], name=name)

    async def _run(self, name: str, request: Request) -> Response:
        call = await self._call(name, request)
        try:
            result = await self._answer(call)
        except Refusal as refusal:
            return self._refused(call, refusal)
        except Exception:
            log.exception("call %s failed inside the gateway", call.id)
            said = f"the gateway failed; ask {self._contact} about the call {call.id}"
            return _json(500, {"error": said, "call": call.id})
        return _json(200, result.view()["value"])

    async def _call(self, name: str, request: Request) -> Call:
        """Raises HttpError."""
        headers = asgi.headers_of(request.scope)
        self._origins.check(headers)
        peer = request.client.host if request.client else ""
        principal = self._authenticator.authenticate(headers, RESOURCE, peer)
        snapshot = self._current.of(principal.tenant)
        if snapshot is None:
            raise asgi.HttpError(403, "this gateway does not serve your tenant")
        arguments = await _arguments(headers, request)
        params = b'{"name":%b,"arguments":%b}' % (jsonrpc.encode(name), arguments)
        return Call(
            id=self._ids.new(),
            method="operations/call",
            params=jsonrpc.body(params),
            principal=principal,
            snapshot=snapshot,
            shown=Shown(headers.get(b"authorization") or b"", RESOURCE),
        )

    def _refused(self, call: Call, refusal: Refusal) -> Response:
        said = {"error": words(call, refusal, self._contact), "call": call.id}
        headers = retry_after(refusal)
        if isinstance(refusal, InsufficientScope):
            headers = (*headers, self._authenticator.challenge(RESOURCE, refusal))
        return _json(refusal.admin_status, said, headers)


async def _arguments(headers: asgi.Headers, request: Request) -> bytes:
    """The body, one JSON object in which no name stands twice; `{}` without one."""
    try:
        raw = await asgi.read_body(request.receive, LARGEST)
    except ConnectionError:
        raise asgi.HttpError(400, "the body did not arrive whole") from None
    if not raw:
        return b"{}"
    media = headers.get(b"content-type", b"").partition(b";")[0]
    if media.strip().lower() != b"application/json":
        raise asgi.HttpError(415, "the body is application/json")
    try:
        jsonrpc.decode(raw)
        return jsonrpc.parse(jsonrpc.request(b"1", "operations/call", raw)).params.raw
    except (ValueError, jsonrpc.Malformed) as fault:
        raise asgi.HttpError(400, f"the body is no JSON object: {fault}") from None


def _json(status: int, value: object, headers: asgi.Pairs = ()) -> Response:
    shown = {name.decode("latin-1"): text.decode("latin-1") for name, text in headers}
    return Response(jsonrpc.encode(value), status, shown, media_type="application/json")
