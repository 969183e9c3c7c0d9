"""The metadata of an issuer is found in either place, and believed only of that very issuer."""

from typing import Any

import pytest

from mcp_gateway.oauth.documents import DocumentError, Documents
from mcp_gateway.oauth.rfc8414 import jwks_uri, places
from mcp_gateway.wire.http import HttpClient
from tests.support.publisher import Publisher, publisher
from tests.support.tcp import plain

OPENID = "/.well-known/openid-configuration"
OAUTH = "/.well-known/oauth-authorization-server"


@pytest.mark.parametrize(
    ("issuer", "openid", "oauth"),
    [
        ("https://a.example", f"https://a.example{OPENID}", f"https://a.example{OAUTH}"),
        ("https://a.example/", f"https://a.example{OPENID}", f"https://a.example{OAUTH}"),
        (
            "https://a.example:8443/realms/one",
            f"https://a.example:8443/realms/one{OPENID}",
            f"https://a.example:8443{OAUTH}/realms/one",
        ),
        (
            "https://a.example/realms/one/",
            f"https://a.example/realms/one{OPENID}",
            f"https://a.example{OAUTH}/realms/one",
        ),
    ],
)
def test_the_path_of_an_issuer_stands_before_or_behind_and_a_last_slash_nowhere(
    issuer: str, openid: str, oauth: str
) -> None:
    assert places(issuer) == (openid, oauth)


async def _found(issuer: str, http: HttpClient) -> str:
    return await jwks_uri(issuer, Documents(issuer, http))


@pytest.mark.parametrize("path", ["", "/", "/realms/one", "/realms/one/"])
async def test_openid_discovery_is_asked_first(http: HttpClient, path: str) -> None:
    async with publisher() as server:
        issuer = server.url + path
        server.metadata(issuer, path.rstrip("/") + OPENID)

        assert await _found(issuer, http) == f"{server.url}/jwks"

    assert server.asked == [path.rstrip("/") + OPENID]


@pytest.mark.requirement("identity:issuer-is-discovered")
@pytest.mark.parametrize("path", ["", "/", "/realms/one", "/realms/one/"])
async def test_metadata_of_rfc_8414_is_asked_for_when_there_is_no_openid_discovery(
    http: HttpClient, path: str
) -> None:
    async with publisher() as server:
        issuer = server.url + path
        server.metadata(issuer, OAUTH + path.rstrip("/"))

        assert await _found(issuer, http) == f"{server.url}/jwks"

    assert server.asked == [path.rstrip("/") + OPENID, OAUTH + path.rstrip("/")]


async def test_a_server_that_is_broken_is_not_asked_for_another_document(http: HttpClient) -> None:
    async with publisher({OPENID: plain(b"", status=b"503 Busy")}) as server:
        server.metadata(server.url, OAUTH)

        with pytest.raises(DocumentError, match="503"):
            await _found(server.url, http)

    assert server.asked == [OPENID]


async def test_without_any_metadata_it_is_said_where_it_was_looked_for(http: HttpClient) -> None:
    async with publisher() as server:
        with pytest.raises(DocumentError, match=f"{OAUTH} answers 404"):
            await _found(server.url, http)


def _differing(server: Publisher) -> list[Any]:
    url = server.url
    return [url + "/", url.upper(), url.replace("localhost", "127.0.0.1"), "", None, [url], 5]


@pytest.mark.requirement("identity:issuer-is-discovered")
async def test_metadata_that_names_another_issuer_is_refused(http: HttpClient) -> None:
    async with publisher() as server:
        for named in _differing(server):
            server.publish(OPENID, {"issuer": named, "jwks_uri": f"{server.url}/jwks"})

            with pytest.raises(DocumentError, match="must be equal to it"):
                await _found(server.url, http)


@pytest.mark.parametrize("uri", [None, 5, [], {}])
async def test_metadata_without_the_address_of_keys_is_refused(http: HttpClient, uri: Any) -> None:
    async with publisher() as server:
        server.publish(OPENID, {"issuer": server.url, "jwks_uri": uri})

        with pytest.raises(DocumentError, match="no jwks_uri"):
            await _found(server.url, http)
