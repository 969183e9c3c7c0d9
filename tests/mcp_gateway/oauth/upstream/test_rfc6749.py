"""Token endpoints, those that keep to the RFC and those that do not quite."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.core.secret import Secret
from mcp_gateway.oauth.upstream.client import Client
from mcp_gateway.oauth.upstream.rfc6749 import Answer, TokenEndpoint, TokenRefused, authorization
from mcp_gateway.oauth.upstream.rfc8414 import AuthorizationServer
from mcp_gateway.wire.http import HttpClient
from tests.support.gateway import free_port
from tests.support.publisher import publisher
from tests.support.tcp import plain

JSON = b"content-type: application/json"
FORM = b"content-type: application/x-www-form-urlencoded; charset=utf-8"
SLACK = (
    b'{"access_token":"xoxb","authed_user":'
    b'{"access_token":"at","scope":"chat:write,im","token_type":"user"}}'
)
ASKED = [("grant_type", "authorization_code"), ("code", "c0de-of-someone")]
CLIENT = Client("us", "client_secret_post", Secret("our-s3cret"))


async def asked(http: HttpClient, answer: bytes) -> Answer:
    async with publisher({"/token": answer}) as there:
        server = AuthorizationServer(there.url, token=f"{there.url}/token")
        return await TokenEndpoint(http).ask(server, CLIENT, ASKED)


async def test_an_answer_by_the_rfc_is_read(http: HttpClient) -> None:
    said = {
        "access_token": "at",
        "token_type": "Bearer",
        "expires_in": 60,
        "refresh_token": "rt",
        "scope": "b a",
        "issued_token_type": "urn:x",
    }
    found = await asked(http, plain(json.dumps(said).encode(), JSON))

    assert (found.access, found.refresh, found.expires_in) == (Secret("at"), Secret("rt"), 60)
    assert (found.scopes, found.type, found.issued) == (frozenset("ab"), "bearer", "urn:x")
    assert "at" not in repr(found.access)


@pytest.mark.requirement("upstream:servers-have-their-ways")
@pytest.mark.parametrize(
    ("content", "kind", "expires", "scopes"),
    [
        (b"access_token=at&token_type=bearer&scope=repo%2Cgist", FORM, 0, {"repo", "gist"}),
        (b'{"access_token":"at","expires_in":"3599"}', JSON, 3599, set()),
        (b'{"access_token":"at","expires_in":12.5}', JSON, 12, set()),
        (b'{"access_token":"at","expires_in":null,"scope":null}', JSON, 0, set()),
        (b'{"access_token":"at","expires_in":true}', JSON, 0, set()),
        (b'{"access_token":"at","expires_in":-5}', JSON, 0, set()),
        (
            SLACK,
            JSON,
            0,
            {"chat:write", "im"},
        ),
    ],
)
async def test_servers_with_ways_of_their_own_are_understood(
    http: HttpClient, content: bytes, kind: bytes, expires: int, scopes: set[str]
) -> None:
    found = await asked(http, plain(content, kind))

    assert (found.access, found.type) == (Secret("at"), "bearer")
    assert (found.expires_in, found.scopes) == (expires, frozenset(scopes))


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (plain(b'{"error":"invalid_grant"}', JSON, status=b"400 Bad"), "invalid_grant"),
        (plain(b'{"error":"bad_code"}', JSON), "bad_code"),
        (plain(b"error=bad_verification_code", FORM), "bad_verification_code"),
        (plain(b'{"error":"<script>"}', JSON, status=b"400 Bad"), "http_400"),
        (plain(b"no json", status=b"403 Forbidden"), "http_403"),
        (plain(b'{"access_token":"at"}', JSON, b"location: /x", status=b"302 Found"), "http_302"),
    ],
)
async def test_a_refusal_is_a_code_and_never_the_servers_words(
    http: HttpClient, answer: bytes, error: str
) -> None:
    with pytest.raises(TokenRefused) as told:
        await asked(http, answer)
    assert told.value.error == error


@pytest.mark.requirement("attack:c12")
@pytest.mark.parametrize(
    "members",
    [
        {},
        {"access_token": ""},
        {"access_token": "a\r\nx-evil: 1"},
        {"access_token": "a b"},
        {"access_token": "ä"},
        {"access_token": ["at"]},
        {"access_token": "a" * (16 * 1024 + 1)},
        {"access_token": "at", "refresh_token": 5},
        {"access_token": "at", "scope": 'a"b'},
    ],
)
async def test_a_token_that_no_request_can_hold_is_none(
    http: HttpClient, members: dict[str, Any]
) -> None:
    with pytest.raises(UpstreamFailed) as told:
        await asked(http, plain(json.dumps(members).encode(), JSON))
    assert "evil" not in str(told.value)


async def test_a_server_that_is_out_of_order_refuses_nobody(http: HttpClient) -> None:
    for status in (b"500 Oops", b"503 Busy", b"429 Slower"):
        with pytest.raises(UpstreamFailed) as told:
            await asked(http, plain(b'{"error":"invalid_grant"}', JSON, status=status))
        assert told.value.passing


@pytest.mark.requirement("attack:c7")
async def test_an_answer_without_end_is_not_read(http: HttpClient) -> None:
    with pytest.raises(UpstreamFailed, match="bytes"):
        await asked(http, plain(b"x" * (64 * 1024 + 1), JSON))


@pytest.mark.parametrize("url", ["", "http://as.example.com/t", "file:///t", "https://a@b/t"])
async def test_a_token_endpoint_in_the_clear_is_not_asked(http: HttpClient, url: str) -> None:
    server = AuthorizationServer("https://as.example.com", token=url)
    with pytest.raises(UpstreamFailed, match="cannot be asked") as told:
        await TokenEndpoint(http).ask(server, CLIENT, ASKED)
    assert "s3cret" not in str(told.value)


async def test_what_is_said_of_a_failure_holds_nothing_of_the_request(http: HttpClient) -> None:
    away = AuthorizationServer("http://localhost", token=f"http://localhost:{free_port()}/t")
    unknown = replace(CLIENT, method="tls_client_auth")
    for client in (CLIENT, unknown):
        with pytest.raises(UpstreamFailed) as told:
            await TokenEndpoint(http).ask(away, client, ASKED)
        assert not {"c0de", "s3cret"} & {w for w in ("c0de", "s3cret") if w in str(told.value)}


@pytest.mark.parametrize("endpoint", ["https://as.example/a", "https://as.example/a?tenant=t"])
def test_an_authorization_request_keeps_what_the_endpoint_says(endpoint: str) -> None:
    server = AuthorizationServer("https://as.example", authorize=endpoint)
    url = authorization(server, [("state", "a&b=c"), ("scope", "x y")])

    query = dict(parse_qsl(urlsplit(url).query))
    assert (query["state"], query["scope"]) == ("a&b=c", "x y")
    assert query.get("tenant", "t") == "t"
    assert url.startswith("https://as.example/a?")
