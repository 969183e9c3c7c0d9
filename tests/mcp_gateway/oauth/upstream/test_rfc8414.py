"""What an issuer says of itself, and where it may send the gateway and people."""

from typing import Any

import pytest

from mcp_gateway.oauth.documents import DocumentError, Documents, NotThereError
from mcp_gateway.oauth.upstream.rfc8414 import assumed, metadata, places
from mcp_gateway.wire.http import HttpClient
from tests.support.publisher import Publisher, publisher

HERE = "http://localhost"
INSERTED = "/.well-known/oauth-authorization-server/t"


def document(issuer: str, **more: Any) -> dict[str, Any]:
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "code_challenge_methods_supported": ["S256"],
        **more,
    }


@pytest.mark.requirement("upstream:discovery-in-order")
def test_both_forms_are_looked_for_inserted_and_then_appended() -> None:
    assert places("https://as.example.com/t/1") == (
        "https://as.example.com/.well-known/oauth-authorization-server/t/1",
        "https://as.example.com/.well-known/openid-configuration/t/1",
        "https://as.example.com/t/1/.well-known/openid-configuration",
    )
    assert places("https://as.example.com") == (
        "https://as.example.com/.well-known/oauth-authorization-server",
        "https://as.example.com/.well-known/openid-configuration",
    )


@pytest.mark.parametrize("place", range(3))
async def test_metadata_is_taken_from_each_of_them(http: HttpClient, place: int) -> None:
    async with publisher() as up:
        issuer = f"{up.url}/t"
        up.publish(places(issuer)[place].removeprefix(up.url), document(issuer))
        found = await metadata(issuer, Documents(HERE, http))

    assert (found.token, found.pkce, found.methods) == (
        f"{issuer}/token",
        True,
        ("client_secret_basic",),
    )
    assert (found.names_itself, found.documents, found.must_push) == (False, False, False)


async def said(http: HttpClient, up: Publisher, issuer: str, **more: Any) -> str:
    """Why it is refused."""
    up.publish(INSERTED, document(issuer) | more)
    with pytest.raises(DocumentError) as told:
        await metadata(f"{up.url}/t", Documents(HERE, http))
    return str(told.value)


@pytest.mark.requirement("attack:c2")
async def test_the_metadata_of_another_issuer_is_refused(http: HttpClient) -> None:
    async with publisher() as up:
        for issuer in (f"{up.url}/t/", up.url, f"{up.url}/T", "https://evil.example.com"):
            assert "is of the issuer" in await said(http, up, issuer)


@pytest.mark.requirement("attack:c5")
@pytest.mark.parametrize(
    "name",
    [
        "authorization_endpoint",
        "token_endpoint",
        "registration_endpoint",
        "revocation_endpoint",
        "pushed_authorization_request_endpoint",
    ],
)
@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "http://as.example.com/",
        "data:text/html,x",
        "https://a@b.example/",
        "https://as.example.com\\@evil.example/",
        "vbscript:x",
        7,
    ],
)
async def test_no_endpoint_is_anything_but_https(
    http: HttpClient, name: str, url: str | int
) -> None:
    async with publisher() as up:
        assert name in await said(http, up, f"{up.url}/t", **{name: url})


async def test_what_is_not_there_is_told_from_what_is_damaged(http: HttpClient) -> None:
    async with publisher() as up:
        with pytest.raises(NotThereError):
            await metadata(f"{up.url}/t", Documents(HERE, http))
        assert "list of words" in await said(
            http, up, f"{up.url}/t", token_endpoint_auth_methods_supported="none"
        )
    with pytest.raises(DocumentError, match="issuer"):
        await metadata("ftp://as.example.com", Documents(HERE, http))


def test_a_server_without_metadata_is_assumed_to_do_what_its_revision_says() -> None:
    found = assumed("https://up.example.com")
    assert (found.authorize, found.token) == (
        "https://up.example.com/authorize",
        "https://up.example.com/token",
    )
    assert found.pkce
