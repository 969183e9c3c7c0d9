"""A pushed request leaves nothing of itself in the address."""

import pytest

from mcp_gateway.core.secret import Secret
from mcp_gateway.oauth.documents import DocumentError
from mcp_gateway.oauth.upstream.client import Client
from mcp_gateway.oauth.upstream.rfc6749 import TokenEndpoint
from mcp_gateway.oauth.upstream.rfc8414 import AuthorizationServer
from mcp_gateway.oauth.upstream.rfc9126 import pushed
from mcp_gateway.wire.http import HttpClient
from tests.support.publisher import publisher
from tests.support.tcp import plain

CLIENT = Client("us", "client_secret_basic", Secret("s"))


async def test_what_stands_for_the_request_is_its_name_alone(http: HttpClient) -> None:
    async with publisher({"/p": plain(b'{"request_uri":"urn:1"}', status=b"201 Created")}) as there:
        server = AuthorizationServer(there.url, push=f"{there.url}/p")
        found = await pushed(server, CLIENT, [("state", "x")], TokenEndpoint(http))

    assert found == [("client_id", "us"), ("request_uri", "urn:1")]


@pytest.mark.parametrize(
    "answer", [plain(b"{}", status=b"201 Created"), plain(b'{"error":"x"}', status=b"400 Bad")]
)
async def test_a_request_that_is_not_taken_is_told(http: HttpClient, answer: bytes) -> None:
    async with publisher({"/p": answer}) as there:
        server = AuthorizationServer(there.url, push=f"{there.url}/p")
        with pytest.raises(DocumentError, match="pushed request"):
            await pushed(server, CLIENT, [("state", "x")], TokenEndpoint(http))
