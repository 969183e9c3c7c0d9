"""What an upstream answers a stranger."""

import pytest

from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.oauth.upstream.challenge import NO_CHALLENGE, Challenge
from mcp_gateway.oauth.upstream.probe import Method, challenged
from mcp_gateway.wire.http import HttpClient
from tests.support.gateway import free_port
from tests.support.publisher import publisher
from tests.support.tcp import plain

HEADER = b"www-authenticate: Bearer scope=a"


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize(
    ("status", "found"),
    [
        (b"401 No", Challenge(scopes=frozenset("a"))),
        (b"403 No", Challenge(scopes=frozenset("a"))),
        (b"200 Yes", NO_CHALLENGE),
        (b"404 Where", NO_CHALLENGE),
    ],
)
async def test_a_challenge_counts_where_the_stranger_is_turned_away(
    http: HttpClient, status: bytes, found: Challenge, method: Method
) -> None:
    async with publisher({"/mcp": plain(b"", HEADER, status=status)}) as up:
        assert await challenged(f"{up.url}/mcp", method, http) == found


async def test_who_is_not_asked_says_nothing(http: HttpClient) -> None:
    async with publisher() as up:
        assert await challenged(f"{up.url}/mcp", "", http) == NO_CHALLENGE
    assert up.asked == []


@pytest.mark.requirement("attack:c7")
async def test_a_challenge_without_end_is_not_read(http: HttpClient) -> None:
    header = b"www-authenticate: Bearer scope=" + b"a" * 5000
    async with publisher({"/mcp": plain(b"", header, status=b"401 No")}) as up:
        with pytest.raises(ValueError, match="longer than"):
            await challenged(f"{up.url}/mcp", "POST", http)


async def test_an_upstream_that_is_away_is_a_failure(http: HttpClient) -> None:
    with pytest.raises(UpstreamFailed):
        await challenged(f"http://127.0.0.1:{free_port()}/mcp", "POST", http)
