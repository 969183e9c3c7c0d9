"""The gateway registers itself as what it is, and takes only what is a registration."""

import json
from typing import Any

import pytest

from mcp_gateway.core.secret import Secret
from mcp_gateway.oauth.documents import DocumentError
from mcp_gateway.oauth.upstream.rfc7591 import metadata, register
from mcp_gateway.oauth.upstream.rfc8414 import AuthorizationServer
from mcp_gateway.wire.http import HttpClient
from tests.support.publisher import publisher
from tests.support.tcp import plain

CALLBACK = "https://gw.example.com/connect/callback"
SERVER = AuthorizationServer("https://as.example.com", methods=("none", "client_secret_basic"))
NONE = frozenset[str]()


@pytest.mark.requirement("upstream:registers-as-a-web-client")
def test_the_gateway_says_that_it_runs_on_a_server_and_names_one_redirect() -> None:
    said = metadata(SERVER, CALLBACK, frozenset("ab"))

    assert (said["application_type"], said["redirect_uris"]) == ("web", [CALLBACK])
    assert (said["token_endpoint_auth_method"], said["scope"]) == ("client_secret_basic", "a b")


@pytest.mark.parametrize("wanted", [NONE, frozenset("ab")])
def test_a_scope_that_the_server_does_not_list_is_not_named(wanted: frozenset[str]) -> None:
    server = AuthorizationServer("https://as.example.com", scopes=frozenset("a"))
    assert "scope" not in metadata(server, CALLBACK, wanted)


async def registered(http: HttpClient, said: Any, status: bytes = b"201 Created") -> Any:
    async with publisher({"/r": plain(json.dumps(said).encode(), status=status)}) as there:
        server = AuthorizationServer(there.url, register=f"{there.url}/r", methods=SERVER.methods)
        return await register(server, CALLBACK, NONE, http)


async def test_what_the_server_gives_is_who_the_gateway_is_there(http: HttpClient) -> None:
    client, ends = await registered(
        http, {"client_id": "us", "client_secret": "s", "client_secret_expires_at": 99}
    )
    assert (client.id, client.method, client.secret, ends) == (
        "us",
        "client_secret_basic",
        Secret("s"),
        99,
    )
    public, ends = await registered(
        http, {"client_id": "us", "token_endpoint_auth_method": "none"}, b"200 OK"
    )
    assert (public.method, ends) == ("none", 0)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({}, b"201 Created"),
        ([], b"201 Created"),
        ({"client_id": 5}, b"201 Created"),
        ({"client_id": "us"}, b"201 Created"),
        ({"client_id": "us", "client_secret": 5}, b"201 Created"),
        ({"client_id": "us", "client_secret": "s"}, b"400 Bad"),
        ({"client_id": "us", "client_secret": "s"}, b"307 Elsewhere"),
    ],
)
async def test_what_is_no_registration_is_refused(
    http: HttpClient, said: Any, status: bytes
) -> None:
    with pytest.raises(DocumentError, match="does not register"):
        await registered(http, said, status)
