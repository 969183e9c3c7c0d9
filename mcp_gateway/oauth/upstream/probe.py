"""A stranger's question to an upstream: what it answers says where its tokens come from."""

from typing import Final, Literal

from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.oauth.upstream import challenge as challenges
from mcp_gateway.oauth.upstream.challenge import NO_CHALLENGE, Challenge
from mcp_gateway.wire import jsonrpc
from mcp_gateway.wire.failures import HttpFailed
from mcp_gateway.wire.http import HttpClient

WITHIN: Final = 10.0
"""Seconds."""
LONGEST: Final = 4096
"""Characters of the longest challenge."""
Method = Literal["POST", "GET", ""]
_ACCEPT: Final = ("accept", "application/json, text/event-stream")
_JSON: Final = ("content-type", "application/json")
_QUESTION: Final = jsonrpc.request(b"1", "tools/list", b"{}")
"""Changes nothing, and is no `initialize`, which some answer to everybody."""


async def challenged(url: str, method: Method, http: HttpClient) -> Challenge:
    """What it wants, NO_CHALLENGE where it does not say or there is no method to ask by.

    Raises UpstreamFailed, and ValueError for a challenge that cannot be read.
    """
    if not method:
        return NO_CHALLENGE
    headers, body = ([_ACCEPT, _JSON], _QUESTION) if method == "POST" else ([_ACCEPT], b"")
    try:
        async with http.stream(method, url, headers, body, timeout=WITHIN) as response:
            status, header = response.status, response.headers.get("www-authenticate", "")
    except HttpFailed as failure:
        raise UpstreamFailed(str(failure)) from None
    if status not in (401, 403):
        return NO_CHALLENGE
    if len(header) > LONGEST:
        raise ValueError(f"its challenge is longer than {LONGEST} characters")
    return challenges.read(header)
