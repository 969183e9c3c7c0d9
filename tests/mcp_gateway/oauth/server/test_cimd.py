"""Client ids that are URLs, and the documents behind them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.oauth.server import cimd
from mcp_gateway.oauth.server.rfc6749 import OAuthError
from mcp_gateway.wire.url import parse

ID = "https://app.example.com/oauth/client.json"


def document(**members: Any) -> bytes:
    return json.dumps(
        {
            "client_id": ID,
            "client_name": "App",
            "redirect_uris": ["http://127.0.0.1/callback"],
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "none",
            **members,
        }
    ).encode()


@pytest.mark.parametrize(
    "client",
    [
        "https://claude.ai/oauth/claude-code-client-metadata",
        "https://chatgpt.com/oauth/codex/client.json",
        "https://github.com/copilot/cli/client-metadata.json",
        "https://a.example/x/",
    ],
)
def test_the_ids_of_known_runtimes_are_ids(client: str) -> None:
    assert cimd.is_document(client)
    cimd.check_id(client)


@pytest.mark.requirement("attack:d9")
@pytest.mark.parametrize(
    "client",
    [
        "http://app.example.com/client.json",
        "HTTPS://app.example.com/client.json",
        "ftp://app.example.com/client.json",
        "https://app.example.com",
        "https://app.example.com/",
        "https://app.example.com//client.json",
        "https://app.example.com:443/client.json",
        "https://app.example.com:8443/client.json",
        "https://app.example.com:/client.json",
        "https://APP.example.com/client.json",
        "https://app.example.com./client.json",
        "https://user@app.example.com/client.json",
        "https://user:pw@app.example.com/client.json",
        "https://app.example.com@evil.example/client.json",
        "https://app.example.com/client.json?v=1",
        "https://app.example.com/client.json?",
        "https://app.example.com/client.json#x",
        "https://app.example.com/client.json#",
        "https://app.example.com/a/../client.json",
        "https://app.example.com/a/./client.json",
        "https://app.example.com/a/..",
        "https://app.example.com/a/.",
        "https://app.example.com/%2e%2e/client.json",
        "https://app.example.com/cl%69ent.json",
        "https://app.example.com\\client.json",
        "https://app.example.com/client.json\n",
        "https://app.example.com/cli ent.json",
        "https://\u0430pp.example.com/client.json",
        "https://[::1]/client.json",
        "https://[::ffff:169.254.169.254]/client.json",
        "https://" + "a" * 500 + ".example/client.json",
        "://",
    ],
)
def test_a_url_that_could_be_spelled_in_two_ways_is_no_id(client: str) -> None:
    with pytest.raises(OAuthError) as refused:
        cimd.check_id(client)

    assert refused.value.code == "invalid_client"


@pytest.mark.requirement("attack:d9")
@given(
    st.from_regex(r"https?://[a-zA-Z0-9.:@\[\]%-]{1,20}/[a-z0-9./%?#@:\\-]{0,20}", fullmatch=True)
)
def test_what_is_an_id_is_fetched_at_that_very_address_and_no_other(client: str) -> None:
    try:
        cimd.check_id(client)
    except OAuthError:
        return
    parts = parse(client)

    assert parts.absolute == client
    assert (parts.origin.scheme, parts.origin.port) == ("https", 443)
    assert not {"..", ".", "%"} & set(client.removeprefix("https://").split("/"))
    assert not set(client) & set("?#%\\")
    assert "@" not in client.split("/")[2]


def test_a_document_says_who_the_client_is() -> None:
    found, keys = cimd.read(ID, document(scope="mcp"))

    assert (found.name, found.method) == ("App", "none")
    assert found.redirects == ("http://127.0.0.1/callback",)
    assert found.grants == {"authorization_code", "refresh_token"}
    assert found.scopes == {"mcp"}
    assert keys == {}


def test_a_document_without_a_method_is_of_a_public_client() -> None:
    members = json.loads(document())
    del members["token_endpoint_auth_method"]

    found, _ = cimd.read(ID, json.dumps(members).encode())

    assert found.method == "none"


@pytest.mark.requirement("attack:d9")
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b"[" * 3000,
        b"<html></html>",
        document(client_id="https://app.example.com/oauth/other.json"),
        document(client_id=ID + "/"),
        document(client_id=[ID]),
        document(client_id=None),
        document(client_secret="s"),
        document(client_secret_expires_at=0),
        document(token_endpoint_auth_method="client_secret_basic"),
        document(token_endpoint_auth_method="client_secret_jwt"),
        document(token_endpoint_auth_method=["none"]),
        document(token_endpoint_auth_method="private_key_jwt"),
        document(token_endpoint_auth_method="private_key_jwt", jwks_uri="https://a.example/jwks"),
        document(token_endpoint_auth_method="private_key_jwt", jwks=["k"]),
        document(redirect_uris=["http://evil.example/cb"]),
        document(redirect_uris=[]),
        document(response_types=["token"]),
    ],
)
def test_a_document_that_is_not_about_the_client_or_makes_it_unsafe_is_refused(raw: bytes) -> None:
    with pytest.raises(OAuthError):
        cimd.read(ID, raw)


def test_the_keys_of_a_document_are_handed_on_for_a_client_that_signs() -> None:
    jwks = {"keys": [{"kty": "EC"}]}

    found, keys = cimd.read(ID, document(token_endpoint_auth_method="private_key_jwt", jwks=jwks))

    assert found.method == "private_key_jwt"
    assert keys == jwks


@pytest.mark.parametrize(
    ("control", "seconds"),
    [
        ("", 300),
        ("public, max-age=300", 300),
        ("max-age=0", 300),
        ("max-age=3600", 3600),
        ('max-age="7200"', 7200),
        ("MAX-AGE=3600", 3600),
        ("max-age=999999999", 86_400),
        ("no-store", 300),
        ("no-cache, max-age=3600", 300),
        ("max-age=x", 300),
        ("s-maxage=9000", 300),
    ],
)
def test_a_document_is_kept_for_as_long_as_is_said_within_bounds(
    control: str, seconds: float
) -> None:
    headers = {"cache-control": control} if control else {}

    assert cimd.kept_for(headers) == seconds
