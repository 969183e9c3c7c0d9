"""From an upstream's address to the server that gives tokens for it; what is configured counts."""

from typing import Any

import pytest

from mcp_gateway.oauth.documents import DocumentError
from mcp_gateway.oauth.ports import GrantOptions
from mcp_gateway.oauth.upstream.challenge import Challenge
from mcp_gateway.oauth.upstream.discovery import Discovery, canonical
from mcp_gateway.wire.http import HttpClient
from tests.support.publisher import Publisher, publisher

PRM = "/.well-known/oauth-protected-resource"
AS = "/.well-known/oauth-authorization-server"
NONE = GrantOptions()


def issuer(up: Publisher, **more: Any) -> dict[str, Any]:
    return {
        "issuer": up.url,
        "authorization_endpoint": f"{up.url}/a",
        "token_endpoint": f"{up.url}/t",
        "code_challenge_methods_supported": ["S256"],
        **more,
    }


async def test_an_upstream_names_its_server(http: HttpClient) -> None:
    async with publisher() as up, publisher() as there:
        url = f"{up.url}/mcp"
        up.publish("/where", {"resource": up.url, "authorization_servers": [there.url]})
        there.publish(AS, issuer(there))

        found = await Discovery(http).found(url, NONE, Challenge(f"{up.url}/where"))

    assert (found.resource, found.server.token) == (up.url, f"{there.url}/t")


@pytest.mark.requirement("upstream:discovery-can-be-overridden")
async def test_everything_can_be_configured_and_is_not_looked_for(http: HttpClient) -> None:
    options = GrantOptions(
        authorize="https://as.example/a", token="https://as.example/t", resource="-"
    )
    async with publisher() as up:
        found = await Discovery(http).found(f"{up.url}/mcp", options)

    assert (found.resource, found.server.authorize) == ("", "https://as.example/a")
    assert found.server.pkce
    assert up.asked == []


async def test_an_issuer_that_is_configured_is_asked_instead_of_the_named_one(
    http: HttpClient,
) -> None:
    async with publisher() as up, publisher() as there:
        there.publish(AS, issuer(there))
        options = GrantOptions(issuer=there.url, token="https://as.example/t", resource="api://o")

        found = await Discovery(http).found(f"{up.url}/mcp", options)

    assert (found.resource, found.server.authorize) == ("api://o", f"{there.url}/a")
    assert found.server.token == "https://as.example/t"


async def test_an_endpoint_that_is_configured_in_the_clear_is_refused(http: HttpClient) -> None:
    options = GrantOptions(authorize="http://as.example/a", token="https://as.example/t")
    async with publisher() as up:
        with pytest.raises(DocumentError, match="in the grant"):
            await Discovery(http).found(f"{up.url}/mcp", options)


@pytest.mark.requirement("upstream:discovery-in-order")
async def test_an_upstream_of_the_first_revision_is_its_own_server(http: HttpClient) -> None:
    async with publisher() as up:
        url = f"{up.url}/mcp"
        assumed = await Discovery(http).found(url, NONE)
        up.publish(AS, issuer(up))
        said = await Discovery(http).found(url, NONE)

    assert (assumed.server.token, assumed.resource) == (f"{up.url}/token", url)
    assert said.server.token == f"{up.url}/t"


async def test_a_server_that_is_named_and_says_nothing_is_not_assumed(http: HttpClient) -> None:
    async with publisher() as up, publisher() as there:
        up.publish(PRM, {"resource": up.url, "authorization_servers": [there.url]})
        with pytest.raises(DocumentError, match="no metadata"):
            await Discovery(http).found(f"{up.url}/mcp", NONE)


async def test_an_upstream_that_names_nobody_says_what_to_configure(http: HttpClient) -> None:
    async with publisher() as up:
        up.publish(PRM, {"resource": up.url, "authorization_servers": []})
        with pytest.raises(DocumentError, match="set issuer"):
            await Discovery(http).found(f"{up.url}/mcp", NONE)


@pytest.mark.requirement("attack:c6")
@pytest.mark.parametrize(
    "named",
    [
        "http://169.254.169.254",
        "https://169.254.169.254",
        "https://[::ffff:169.254.169.254]",
        "https://[64:ff9b::a9fe:a9fe]",
        "https://[2002:a9fe:a9fe::]",
        "https://2852039166",
        "https://0xa9.254.169.254",
        "https://10.0.0.1",
        "file:///etc/passwd",
        "https://user@as.example.com",
        "",
    ],
)
async def test_no_upstream_sends_the_gateway_inside(http: HttpClient, named: str) -> None:
    async with publisher() as up:
        up.publish(PRM, {"resource": up.url, "authorization_servers": [named]})
        with pytest.raises(DocumentError):
            await Discovery(http).found(f"{up.url}/mcp", NONE)


@pytest.mark.requirement("attack:c6")
async def test_a_public_upstream_sends_the_gateway_to_no_neighbour_on_this_machine(
    http: HttpClient,
) -> None:
    async with publisher() as neighbour:
        for named in (neighbour.url, neighbour.url.replace("localhost", "127.0.0.1")):
            with pytest.raises(DocumentError, match="on this machine"):
                await Discovery(http).server(named, "https://up.example.com/mcp", NONE)
    assert neighbour.asked == []


async def test_what_a_server_says_is_kept_for_a_while(http: HttpClient) -> None:
    now = [0.0]
    discovery = Discovery(http, lambda: now[0])
    async with publisher() as up:
        up.publish(AS, issuer(up))
        for seconds in (0.0, 299.0, 301.0):
            now[0] = seconds
            await discovery.server(up.url, f"{up.url}/mcp", NONE)
    assert up.asked == [AS, AS]


def test_a_resource_is_named_without_its_query() -> None:
    assert canonical("https://Up.example.com/mcp/?a=b#c") == "https://up.example.com/mcp"
