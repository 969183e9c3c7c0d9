"""What the endpoints of the authorization server have in common: forms in, JSON out."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from mcp_gateway.core.errors import Refusal
from mcp_gateway.edge import asgi
from mcp_gateway.edge.asgi import HttpError
from mcp_gateway.edge.failures import Failures
from mcp_gateway.edge.origins import Origins
from mcp_gateway.oauth.server.rfc6749 import OAuthError, Parameters, invalid_request
from mcp_gateway.wire import jsonrpc

log = logging.getLogger(__name__)
LARGEST: Final = 16 * 1024
"""Bytes of the largest form."""
_ANYBODY: Final = {"access-control-allow-origin": "*"}
"""Pages of any origin may ask what needs no cookie: web clients log in like others."""
_KEPT_BY_NOBODY: Final = {"cache-control": "no-store", "pragma": "no-cache"}

Answering = Callable[[Request], Awaitable[Mapping[str, Any] | None]]
Form = tuple[Parameters, bytes | None, str]
"""The parameters, the Authorization header, and the address that it all comes from."""


class Answers:
    """Runs what answers, and says its refusals as OAuth does.

    Who fails to show who it is, again and again, is not heard for a while.
    """

    def __init__(self, origins: Origins, failures: Failures) -> None:
        self._origins = origins
        self._failures = failures

    def check_host(self, request: Request) -> asgi.Headers:
        """The headers. Raises HttpError for another host: names can be rebound, ours is one."""
        headers = asgi.headers_of(request.scope)
        self._origins.check({b"host": headers.get(b"host", b"")})
        return headers

    async def answered(self, request: Request, answering: Answering, status: int = 200) -> Response:
        peer = peer_of(request)
        try:
            self.check_host(request)
            if wait := self._failures.wait(peer):
                raise OAuthError(
                    "temporarily_unavailable", f"too many failures: wait {wait} s", 429
                )
            return said(await answering(request), status)
        except OAuthError as error:
            if error.status == 401:
                self._failures.count(peer)
            return refused(error)
        except HttpError as error:
            return said({"error": "invalid_request", "error_description": error.text}, error.status)
        except Refusal as refusal:
            log.warning("nothing was issued, since it could not be recorded: %s", refusal)
            return refused(OAuthError("temporarily_unavailable", "call again later", 503))

    async def form(self, request: Request) -> Form:
        """Raises OAuthError for what is no form, HttpError for one that is too large."""
        headers = asgi.headers_of(request.scope)
        media = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if media != b"application/x-www-form-urlencoded":
            raise invalid_request("the body is application/x-www-form-urlencoded")
        if request.url.query:
            raise invalid_request("parameters stand in the body, not in the address")
        raw = await read(request)
        try:
            text = raw.decode("ascii")
        except UnicodeDecodeError:
            raise invalid_request("the form is percent-encoded ASCII") from None
        return Parameters.parse(text), headers.get(b"authorization"), peer_of(request)


async def read(request: Request) -> bytes:
    try:
        return await asgi.read_body(request.receive, LARGEST)
    except ConnectionError:
        raise invalid_request("the body did not arrive whole") from None


def peer_of(request: Request) -> str:
    return request.client.host if request.client else ""


def said(value: Mapping[str, Any] | None, status: int = 200) -> Response:
    """JSON that nobody keeps; nothing for None."""
    body = b"" if value is None else jsonrpc.encode(value)
    return Response(body, status, {**_ANYBODY, **_KEPT_BY_NOBODY}, media_type="application/json")


def refused(error: OAuthError) -> Response:
    answer = said(error.body, error.status)
    if error.status == 401:
        answer.headers["www-authenticate"] = 'Basic realm="oauth"'
    if error.status in (429, 503):
        answer.headers["retry-after"] = "5"
    return answer


async def preflight(_: Request) -> Response:
    """What browsers ask before a page may send a form to another origin (Fetch, 4.8)."""
    allowed = {
        "access-control-allow-methods": "GET, POST",
        "access-control-allow-headers": "authorization, content-type, mcp-protocol-version",
        "access-control-max-age": "3600",
    }
    return Response(b"", 204, {**_ANYBODY, **allowed})
