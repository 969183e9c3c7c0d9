"""The failures of HTTP, as the failures of an upstream."""

from collections.abc import Sequence

from mcp_gateway.core.credential import CredentialRefused
from mcp_gateway.core.errors import ResultTooLarge, UpstreamFailed, UpstreamTimedOut
from mcp_gateway.wire.connection import Response
from mcp_gateway.wire.failures import HttpFailed, HttpTimedOut, TooLarge
from mcp_gateway.wire.http import HttpClient


def told(server: str, failure: HttpFailed) -> UpstreamFailed | UpstreamTimedOut | ResultTooLarge:
    """The refusal for a request that got no usable answer."""
    if isinstance(failure, HttpTimedOut):
        return UpstreamTimedOut(f"{server}: {failure}")
    if isinstance(failure, TooLarge):
        return ResultTooLarge(f"{server}: {failure}")
    return UpstreamFailed(f"{server}: {failure}", sent=failure.sent, passing=failure.sent)


async def requested(
    http: HttpClient,
    server: str,
    request: tuple[str, str, Sequence[tuple[str, str]], bytes],
    timeout: float,
) -> Response:
    """The answer to (method, URL, headers, body).

    Raises UpstreamFailed, UpstreamTimedOut, ResultTooLarge, CredentialRefused.
    """
    method, url, headers, body = request
    try:
        response = await http.request(method, url, headers, body, timeout=timeout)
    except HttpFailed as failure:
        raise told(server, failure) from None
    except ValueError as error:  # a credential, or a header, that no request can hold
        raise UpstreamFailed(f"{server}: {error}") from None
    if response.status == 401:
        response.close()
        raise CredentialRefused
    return response
