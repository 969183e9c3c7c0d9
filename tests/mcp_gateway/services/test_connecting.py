"""The gateway as a client of a real authorization server: npm's oidc-provider, over TLS."""

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from mcp_gateway.oauth.ports import ConnectFailed, GrantOptions
from mcp_gateway.oauth.upstream import cimd
from tests.support.certificates import Authority
from tests.support.consenting import (
    AS,
    CALLBACK,
    CLIENT,
    CONFIGURED,
    PRM,
    READING,
    REGISTERS,
    STATE,
    trusting,
    world,
)
from tests.support.publisher import Publisher, publisher
from tests.support.tcp import plain


def claims(token: str) -> Mapping[str, Any]:
    body = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))))


def issuer(url: str, **more: Any) -> dict[str, Any]:
    return {
        "issuer": url,
        "authorization_endpoint": f"{url}/authorize",
        "token_endpoint": f"{url}/token",
        "registration_endpoint": f"{url}/register",
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none"],
        **more,
    }


def registering(up: Publisher, **more: Any) -> None:
    """An authorization server of the upstream's own machine."""
    up.publish(AS, issuer(up.url, **more))
    up.publish("/register", {"client_id": "registered"})
    up.publish("/token", {"access_token": "at", "token_type": "Bearer"})


# with a real provider


@pytest.mark.requirement("upstream:a-person-connects")
async def test_a_person_connects_where_the_gateway_registers_itself(tmp_path: Path) -> None:
    async with trusting(tmp_path, features=REGISTERS) as (here, provider):
        url = await here.connecting().begin("up", READING, STATE, CALLBACK)
        asked = dict(parse_qsl(urlsplit(url).query))
        query = await provider.agreed(url, "alice")
        brought = await here.connecting().finish("up", STATE, query, CALLBACK)

    assert (asked["resource"], asked["code_challenge_method"]) == (here.resource, "S256")
    assert asked["scope"] == "offline_access orders:read"
    assert (brought.issuer, brought.client) == (provider.url, asked["client_id"])
    assert "orders:read" in brought.scopes
    assert brought.tokens["refresh_token"]
    assert claims(brought.tokens["access_token"])["aud"] == here.resource
    assert brought.tokens["access_token"] not in repr(brought)


@pytest.mark.requirement("upstream:a-person-connects")
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_a_person_connects_by_a_client_that_the_operator_registered(
    tmp_path: Path, method: str
) -> None:
    options = replace(CONFIGURED, auth_method=method)
    client = {**CLIENT, "token_endpoint_auth_method": method}
    async with trusting(tmp_path, options, clients=[client]) as (here, provider):
        brought = await here.connected(provider)

    assert brought.client == "the gateway"
    assert here.secrets.kept == {}


@pytest.mark.requirement("upstream:the-gateway-has-a-client-document")
async def test_a_server_fetches_the_document_of_the_gateway_and_takes_it_for_its_client(
    tmp_path: Path,
) -> None:
    authority = Authority(tmp_path)
    fetching = {"clientIdMetadataDocument": {"enabled": True, "ack": "draft-02"}}
    async with (
        publisher(tls=authority.server("localhost")) as ours,
        trusting(tmp_path, authority=authority, features=fetching) as (here, provider),
    ):
        ours.publish(cimd.PATH, cimd.document(ours.url, CALLBACK))
        options = GrantOptions(client_metadata=ours.url + cimd.PATH)
        here.reached["up"] = replace(here.reached["up"], options=options)
        brought = await here.connected(provider)

    assert brought.client == ours.url + cimd.PATH
    assert ours.asked == [cimd.PATH]
    assert here.secrets.kept == {}


async def test_a_request_is_pushed_where_the_server_wants_that(tmp_path: Path) -> None:
    pushing = {
        "pushedAuthorizationRequests": {"enabled": True, "requirePushedAuthorizationRequests": True}
    }
    async with trusting(tmp_path, CONFIGURED, clients=[CLIENT], features=pushing) as (
        here,
        provider,
    ):
        asked = await here.begun()
        brought = await here.connected(provider)

    assert set(asked) == {"client_id", "request_uri"}
    assert brought.tokens["access_token"]


async def test_what_was_brought_is_forgotten_there_when_it_is_revoked(tmp_path: Path) -> None:
    public = {k: v for k, v in CLIENT.items() if k != "client_secret"}
    known = [{**public, "token_endpoint_auth_method": "none"}]
    revoking = {"revocation": {"enabled": True}}
    options = GrantOptions(client="the gateway")
    async with trusting(tmp_path, options, clients=known, features=revoking) as (here, provider):
        brought = await here.connected(provider)
        await here.connecting().revoke("up", brought.tokens)
        used = await provider.refreshed(brought)

    assert used == "invalid_grant"


# who answers, and to what


@pytest.mark.requirement("attack:c1")
@pytest.mark.parametrize("answer", [{"code": "c"}, {"error": "access_denied"}])
@pytest.mark.parametrize(
    ("advertised", "named"),
    [
        (True, None),
        (True, "https://evil.example.com"),
        (True, "{issuer}/"),
        (False, "https://evil.example.com"),
        (False, "{issuer}/"),
    ],
)
async def test_no_code_is_redeemed_that_another_server_sent(
    tmp_path: Path, answer: dict[str, str], named: str | None, *, advertised: bool
) -> None:
    async with world(tmp_path) as here:
        here.trusts(here.upstream.url)
        registering(here.upstream, authorization_response_iss_parameter_supported=advertised)
        await here.begun()
        said = {} if named is None else {"iss": named.format(issuer=here.upstream.url)}
        with pytest.raises(ConnectFailed, match="authorization server"):
            await here.connecting().finish("up", STATE, {**answer, **said}, CALLBACK)

    assert "/token" not in here.upstream.asked


@pytest.mark.requirement("attack:c9")
async def test_a_code_is_redeemed_for_its_own_state_once_and_in_time(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.trusts(here.upstream.url)
        registering(here.upstream)
        here.reached["other"] = here.reached["up"]
        answer = {"code": "c"}

        async def refused(server: str, state: str) -> None:
            with pytest.raises(ConnectFailed, match="not under way"):
                await here.connecting().finish(server, state, answer, CALLBACK)

        await here.begun()
        await refused("up", "t" * 43)
        await refused("other", STATE)
        await refused("up", STATE)  # who came for another upstream has ended it
        await here.begun()
        here.now += 601
        await refused("up", STATE)
        assert "/token" not in here.upstream.asked
        await here.begun()
        await here.connecting().finish("up", STATE, answer, CALLBACK)
        await refused("up", STATE)

    assert here.upstream.asked.count("/token") == 1


@pytest.mark.requirement("attack:c8")
@pytest.mark.requirement("upstream:registrations-are-an-issuers")
async def test_another_issuer_gets_neither_the_registration_nor_the_code_of_the_first(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as here, publisher() as second:
        here.trusts(here.upstream.url)
        registering(here.upstream)
        assert (await here.begun())["client_id"] == "registered"
        here.trusts(second.url)
        registering(second)
        second.publish("/register", {"client_id": "registered at the second"})

        # The consent that is under way stays that of whom it was asked of.
        brought = await here.connecting().finish("up", STATE, {"code": "c"}, CALLBACK)
        asked = await here.begun()

    assert (brought.issuer, brought.client) == (here.upstream.url, "registered")
    assert "/token" not in second.asked
    assert asked["client_id"] == "registered at the second"


@pytest.mark.requirement("attack:c4")
@pytest.mark.parametrize("methods", [None, [], ["plain"], ["s256"]])
async def test_nobody_is_sent_to_a_server_without_s256(
    tmp_path: Path, methods: list[str] | None
) -> None:
    async with world(tmp_path) as here:
        here.trusts(here.upstream.url)
        registering(here.upstream, code_challenge_methods_supported=methods or [])
        if methods is None:
            document = issuer(here.upstream.url)
            del document["code_challenge_methods_supported"]
            here.upstream.publish(AS, document)
        with pytest.raises(ConnectFailed, match="PKCE with S256"):
            await here.begun()

    assert "/register" not in here.upstream.asked


@pytest.mark.requirement("attack:c3")
async def test_no_server_is_asked_for_an_upstream_that_is_another_resource(tmp_path: Path) -> None:
    async with world(tmp_path) as here, publisher() as there:
        here.trusts(there.url)
        document = {"resource": "https://evil.example.com", "authorization_servers": [there.url]}
        here.upstream.publish(PRM, document)
        with pytest.raises(ConnectFailed, match="of the resource"):
            await here.begun()

    assert there.asked == []


@pytest.mark.requirement("upstream:scopes-are-the-challenges")
async def test_the_challenge_of_the_upstream_says_which_scopes_are_asked_for(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as here:
        here.trusts(here.upstream.url, challenge=', scope="of:challenge"')
        registering(here.upstream)
        challenged = await here.begun(frozenset())
        here.trusts(here.upstream.url)
        silent = await here.begun(frozenset())

    assert challenged["scope"] == "of:challenge"
    assert "scope" not in silent
    assert "prompt" not in silent


@pytest.mark.requirement("attack:c11")
async def test_a_challenge_that_points_to_two_places_leads_to_none(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.trusts(here.upstream.url, challenge=', resource_metadata="https://evil.example.com"')
        with pytest.raises(ConnectFailed, match="twice"):
            await here.begun()

    assert here.upstream.asked == ["/mcp"]


@pytest.mark.requirement("attack:c7")
async def test_a_server_that_is_slow_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_gateway.oauth.documents.WITHIN", 0.1)
    async with world(tmp_path) as here, asyncio.timeout(5):
        here.trusts(here.upstream.url)
        here.upstream.pages[AS] = b""  # nothing, for ever
        with pytest.raises(ConnectFailed):
            await here.begun()


# what a person is told


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"error": "access_denied"}, "not allowed"),
        ({"error": "<b>", "error_description": "call 0900"}, "gave no token"),
        ({}, "gave no token"),
    ],
)
async def test_of_an_error_nothing_is_repeated_that_the_server_wrote(
    tmp_path: Path, answer: dict[str, str], words: str
) -> None:
    async with world(tmp_path) as here:
        here.trusts(here.upstream.url)
        registering(here.upstream)
        await here.begun()
        with pytest.raises(ConnectFailed, match=words) as told:
            await here.connecting().finish("up", STATE, answer, CALLBACK)

    assert "0900" not in str(told.value)
    assert "<b>" not in str(told.value)


async def test_a_server_that_forgot_the_gateway_gets_to_know_it_anew(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.trusts(here.upstream.url)
        registering(here.upstream)
        error = plain(b'{"error":"invalid_client"}', status=b"401 Unauthorized")
        here.upstream.pages["/token"] = error
        await here.begun()
        with pytest.raises(ConnectFailed, match="try again"):
            await here.connecting().finish("up", STATE, {"code": "c"}, CALLBACK)
        await here.begun()

    assert here.upstream.asked.count("/register") == 2


async def test_a_token_that_no_header_can_show_is_not_taken(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.trusts(here.upstream.url)
        registering(here.upstream)
        here.upstream.publish("/token", {"access_token": "at", "token_type": "DPoP"})
        await here.begun()
        with pytest.raises(ConnectFailed, match="cannot show"):
            await here.connecting().finish("up", STATE, {"code": "c"}, CALLBACK)


async def test_an_upstream_that_is_gone_says_so(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.trusts(here.upstream.url)
        registering(here.upstream)
        await here.begun()
        del here.reached["up"]
        with pytest.raises(ConnectFailed, match="any more"):
            await here.begun()
        with pytest.raises(ConnectFailed, match="any more"):
            await here.connecting().finish("up", STATE, {"code": "c"}, CALLBACK)


async def test_a_server_that_only_takes_pushed_requests_has_to_say_where(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.trusts(here.upstream.url)
        registering(here.upstream, require_pushed_authorization_requests=True)
        with pytest.raises(ConnectFailed, match="does not say where"):
            await here.begun()
        registering(here.upstream, authorization_endpoint="")
        with pytest.raises(ConnectFailed, match="asks no person"):
            await here.begun()


async def test_a_server_that_cannot_be_told_to_forget_is_no_failure(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.trusts(here.upstream.url)
        registering(here.upstream)
        await here.begun()
        brought = await here.connecting().finish("up", STATE, {"code": "c"}, CALLBACK)
        await here.connecting().revoke("up", brought.tokens)  # which has no such endpoint
        registering(here.upstream, revocation_endpoint=f"{here.upstream.url}/revoke")
        await here.connecting().revoke("up", brought.tokens)
        assert here.upstream.asked[-1] == "/revoke"
        del here.reached["up"]
        await here.connecting().revoke("up", brought.tokens)
