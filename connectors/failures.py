"""The failures of HTTP, as the failures of an upstream."""

from collections.abc import Sequence
from typing import Final

from mcp_gateway.core.credential import CredentialRefused
from mcp_gateway.core.errors import ResultTooLarge, UpstreamFailed, UpstreamTimedOut
from mcp_gateway.wire.connection import Response
from mcp_gateway.wire.failures import HttpFailed, HttpTimedOut, TooLarge
from mcp_gateway.wire.http import HttpClient

LONGEST_CHALLENGE: Final = 4096
"""Characters of a challenge that are looked at: a longer one is none."""


def accepted(response: Response) -> Response:
    """The answer. Raises CredentialRefused for 401, and for 403 where the token may do too little.

    Any other 403 is the upstream's answer: another token would not change it.
    """
    if response.status not in (401, 403):
        return response
    challenge = response.headers.get("www-authenticate", "")
    if len(challenge) > LONGEST_CHALLENGE:
        challenge = ""
    if response.status == 403 and "insufficient_scope" not in challenge:
        return response
    response.close()
    raise CredentialRefused(challenge, status=response.status)


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
    return accepted(response)
