"""The gateway's own client document."""

import pytest

from mcp_gateway.oauth.upstream.cimd import address, document


@pytest.mark.parametrize(
    ("public", "configured", "found"),
    [
        ("https://gw.example.com", "", "https://gw.example.com/oauth/client.json"),
        ("https://gw.example.com/", "", "https://gw.example.com/oauth/client.json"),
        ("http://127.0.0.1:8080", "", ""),
        ("http://127.0.0.1:8080", "https://elsewhere.example/c", "https://elsewhere.example/c"),
    ],
)
def test_the_address_is_one_that_a_server_can_fetch_or_none(
    public: str, configured: str, found: str
) -> None:
    assert address(public, configured) == found


@pytest.mark.requirement("upstream:the-gateway-has-a-client-document")
def test_the_document_is_about_its_own_address_and_holds_no_secret() -> None:
    said = document("https://gw.example.com", "https://gw.example.com/connect/callback")

    assert said["client_id"] == address("https://gw.example.com", "")
    assert said["redirect_uris"] == ["https://gw.example.com/connect/callback"]
    assert said["token_endpoint_auth_method"] == "none"
    assert not [name for name in said if "secret" in name]
