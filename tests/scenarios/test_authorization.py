"""A runtime with nothing but the URL: it finds the authorization server, and a person logs in."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

from mcp_gateway.config import validated
from tests.support.connected import browser_of, text_of
from tests.support.gateway import BOUND, GatewayUnderTest, gateway_under_test
from tests.support.runtime_oauth import REDIRECT, Runtime, agreed, metadata

CONFIG = """
[authorization]
enabled = true
registration_each = "6000/minute"

[servers.time]
connector = "mcp_stdio"
command = ["@PYTHON@", "@EXAMPLE@"]
"""


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[GatewayUnderTest]:
    async with gateway_under_test(tmp_path, CONFIG) as running:
        await running.serving("time")
        yield running


def runtime_of(gateway: GatewayUnderTest, who: str) -> Runtime:
    async def consenting(address: str) -> str:
        async with browser_of(gateway, who) as browser:
            return await agreed(browser, address)

    return Runtime(gateway, consenting)


@pytest.mark.requirement("authorization:a-url-is-enough")
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_runtime_that_has_the_url_alone_calls_as_whoever_logged_in(
    gateway: GatewayUnderTest, mode: str
) -> None:
    runtime = runtime_of(gateway, "alice")

    async with runtime.client(mode=mode) as client:
        answer = await client.call_tool("time__echo", {"text": "hello"})

    assert "hello" in text_of(answer)
    assert gateway.outcomes()[-1]["subject"] == "alice"


SHOWN = {"code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


@pytest.fixture
async def open_(gateway: GatewayUnderTest) -> AsyncIterator[httpx2.AsyncClient]:
    """Somebody who has no credential."""
    async with httpx2.AsyncClient(base_url=gateway.url, timeout=BOUND) as client:
        yield client


async def registered(open_: httpx2.AsyncClient, **changes: Any) -> str:
    said = metadata().model_dump(mode="json", exclude_none=True) | changes
    answer = await open_.post("/oauth/register", json=said)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["client_id"])


def asking(client: str, **changes: str) -> dict[str, str]:
    """What a runtime sends the browser to the authorization endpoint with."""
    return {
        "response_type": "code",
        "client_id": client,
        "redirect_uri": REDIRECT,
        "state": "s-1",
        "scope": "mcp offline_access",
        "code_challenge_method": "S256",
        **SHOWN,
        **changes,
    }


def redeeming(client: str, back: str, **changes: str) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "client_id": client,
        "code": parse_qs(urlsplit(back).query)["code"][0],
        "redirect_uri": REDIRECT,
        "code_verifier": VERIFIER,
        **changes,
    }


async def answered(
    gateway: GatewayUnderTest, client: str, who: str = "alice", say: str = "yes"
) -> str:
    """Where somebody's browser is sent, once they said so."""
    async with browser_of(gateway, who) as browser:
        address = str(httpx2.URL("/oauth/authorize", params=asking(client)))
        return await agreed(browser, address, say)


async def tokens_of(gateway: GatewayUnderTest, open_: httpx2.AsyncClient) -> tuple[str, Any]:
    """A client of alice's, and what it holds."""
    client = await registered(open_)
    back = await answered(gateway, client)
    answer = await open_.post("/oauth/token", data=redeeming(client, back))
    assert answer.status_code == 200, answer.text
    return client, answer.json()


async def status_with(open_: httpx2.AsyncClient, token: str, path: str = "/mcp") -> int:
    headers = {"authorization": f"Bearer {token}", "accept": "application/json, text/event-stream"}
    asked = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    return (await open_.post(path, json=asked, headers=headers)).status_code


async def refreshed(open_: httpx2.AsyncClient, client: str, refresh: str) -> httpx2.Response:
    form = {"grant_type": "refresh_token", "client_id": client, "refresh_token": refresh}
    return await open_.post("/oauth/token", data=form)


@pytest.mark.requirement("authorization:published")
async def test_what_is_published_is_what_authlib_and_the_specification_take(
    gateway: GatewayUnderTest, open_: httpx2.AsyncClient
) -> None:
    said = (await open_.get("/.well-known/oauth-authorization-server")).json()
    resource = (await open_.get("/.well-known/oauth-protected-resource/mcp")).json()

    AuthorizationServerMetadata(said).validate()
    assert said["issuer"] == gateway.url
    assert said["code_challenge_methods_supported"] == ["S256"]
    assert said["response_types_supported"] == ["code"]
    assert said["authorization_response_iss_parameter_supported"]
    assert said["client_id_metadata_document_supported"]
    assert resource["authorization_servers"] == [gateway.url]
    keys = (await open_.get(said["jwks_uri"])).json()["keys"]
    assert keys
    assert not any("d" in key for key in keys)


@pytest.mark.requirement("authorization:one-endpoint")
async def test_a_token_is_good_at_the_endpoint_that_it_was_asked_for_alone(
    gateway: GatewayUnderTest, open_: httpx2.AsyncClient
) -> None:
    _, held = await tokens_of(gateway, open_)

    assert held["expires_in"] == 3600
    assert await status_with(open_, held["access_token"]) == 200
    assert await status_with(open_, held["access_token"], "/servers/time/mcp") == 401


@pytest.mark.requirement("authorization:a-key-ends-its-log-ins")
@pytest.mark.parametrize(
    ("act", "asked"),
    [
        ("keys/revoke", {"id": "@KEY@"}),
        ("tokens/revoke", {"key": "@KEY@"}),
        ("tokens/revoke", {"client": "key:@KEY@"}),
        ("tokens/revoke", {"subject": "alice"}),
    ],
)
async def test_revoking_what_somebody_logged_in_with_ends_the_tokens_of_their_runtimes(
    gateway: GatewayUnderTest, open_: httpx2.AsyncClient, act: str, asked: dict[str, str]
) -> None:
    client, held = await tokens_of(gateway, open_)
    key = gateway.keys["alice"].split("_")[1]
    said = {name: value.replace("@KEY@", key) for name, value in asked.items()}
    async with gateway.http("admin") as admin:
        answer = await admin.post(f"/admin/{act}", json=said)
        assert answer.status_code == 200, answer.text

    assert await status_with(open_, held["access_token"]) == 401
    refused = await refreshed(open_, client, held["refresh_token"])
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")


@pytest.mark.requirement("authorization:refresh-in-turn")
async def test_a_refresh_token_may_come_twice_at_once_and_not_later(
    gateway: GatewayUnderTest, open_: httpx2.AsyncClient
) -> None:
    client, held = await tokens_of(gateway, open_)
    first = await refreshed(open_, client, held["refresh_token"])
    again = await refreshed(open_, client, held["refresh_token"])
    assert (first.status_code, again.status_code) == (200, 200)
    long_ago = int(time.time()) - 60
    with gateway.parts.database.writing() as session:
        session.connection().exec_driver_sql(
            "UPDATE refreshes SET used = ? WHERE used > 0", (long_ago,)
        )

    stolen = await refreshed(open_, client, held["refresh_token"])

    assert (stolen.status_code, stolen.json()["error"]) == (400, "invalid_grant")
    assert await status_with(open_, first.json()["access_token"]) == 401
    assert (await refreshed(open_, client, again.json()["refresh_token"])).status_code == 400
    kinds = [line["kind"] for line in gateway.entries()]
    assert kinds.index("token.reused") < kinds.index("family.revoked")


@pytest.mark.requirement("authorization:given-back")
async def test_a_client_gives_its_tokens_back_and_they_open_nothing_more(
    gateway: GatewayUnderTest, open_: httpx2.AsyncClient
) -> None:
    client, held = await tokens_of(gateway, open_)

    form = {"client_id": client, "token": held["refresh_token"]}
    assert (await open_.post("/oauth/revoke", data=form)).status_code == 200

    assert await status_with(open_, held["access_token"]) == 401


@pytest.mark.requirement("authorization:recorded")
async def test_who_consented_to_what_and_what_was_minted_stands_in_the_ledger(
    gateway: GatewayUnderTest, open_: httpx2.AsyncClient
) -> None:
    client, held = await tokens_of(gateway, open_)

    entries = {line["kind"]: line for line in gateway.entries()}
    assert entries["client.registered"]["client"] == client
    assert entries["consent.given"]["identity"] == "local|alice"
    assert entries["consent.given"]["redirect_host"] == "127.0.0.1"
    assert entries["token.minted"]["client"] == client
    assert entries["token.minted"]["scopes"] == ["mcp", "offline_access"]
    ledger = b"".join(
        file.read_bytes() for file in gateway.parts.home.ledger.rglob("*") if file.is_file()
    )
    assert held["access_token"].encode() not in ledger
    assert held["refresh_token"].encode() not in ledger


@pytest.mark.requirement("authorization:a-no-is-a-no")
async def test_a_person_who_says_no_sends_the_client_an_error_and_no_code(
    gateway: GatewayUnderTest, open_: httpx2.AsyncClient
) -> None:
    back = await answered(gateway, await registered(open_), say="no")

    said = parse_qs(urlsplit(back).query)
    assert said["error"] == ["access_denied"]
    assert said["iss"] == [gateway.url]
    assert said["state"] == ["s-1"]
    assert "code" not in said


@pytest.mark.requirement("authorization:refused-whole")
async def test_of_a_configuration_that_is_refused_no_program_is_let_in(
    gateway: GatewayUnderTest, open_: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_SECRET", "the-secret-of-ci")
    said = gateway.parts.settings.model_dump()
    said["authorization"]["clients"] = {"ci": {"secret": {"env": "CI_SECRET"}, "scopes": ["mcp"]}}
    said["authorization"]["pinned"] = ["nothere.json"]

    await gateway.take(validated(said))

    refused = [line for line in gateway.entries() if line["kind"] == "configuration.refused"]
    assert "nothere.json" in str(refused)
    form = {"grant_type": "client_credentials", "client_id": "ci"}
    answer = await open_.post("/oauth/token", data={**form, "client_secret": "the-secret-of-ci"})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
