"""A real OpenID provider vouches for who calls: through the whole gateway, over TLS."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp.client import Client
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

from mcp_gateway.oauth import rfc7517
from mcp_gateway.store.database import Database
from mcp_gateway.store.revocations import Revocations
from tests.support.certificates import Authority
from tests.support.gateway import GatewayUnderTest, gateway_under_test
from tests.support.oidc_provider import Provider, openid_provider

ERAS = pytest.mark.parametrize("mode", ["auto", "legacy"])
BOUND = 20.0
SOON = rfc7517.BETWEEN + 3.0
"""Seconds within which a new key of the issuer is taken, a pause between two fetches included."""

CONFIG = """
[network]
ca = ["{authority}"]

[identity]
issuer = "{issuer}"
audience = "http://127.0.0.1:@PORT@/mcp"
"""
SERVER = """
[servers.time]
connector = "mcp_stdio"
command = ["@PYTHON@", "@EXAMPLE@"]
"""


@dataclass
class World:
    """The provider, and the gateway that trusts it."""

    issuer: Provider
    gateway: GatewayUnderTest
    authority: Authority

    @property
    def resource(self) -> str:
        return f"{self.gateway.url}/mcp"

    def holding(self, token: str) -> httpx2.AsyncClient:
        """A program that shows this token."""
        headers = {"authorization": f"Bearer {token}"}
        return httpx2.AsyncClient(base_url=self.gateway.url, headers=headers, timeout=BOUND)

    async def status(self, token: str, path: str = "/mcp") -> int:
        async with self.holding(token) as http:
            return (await http.post(path, json=PING)).status_code

    async def ready(self) -> None:
        """Waits until the gateway has the keys."""
        tokens = self.gateway.parts.tokens
        async with asyncio.timeout(BOUND):
            while not (tokens and tokens.ready):
                await asyncio.sleep(0.02)


PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


@asynccontextmanager
async def _world(folder: Path, config: str = CONFIG) -> AsyncIterator[World]:
    authority = Authority(folder)
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(openid_provider(folder, authority))
        text = config.replace("{issuer}", provider.url).replace(
            "{authority}", authority.certificate
        )
        gateway = await stack.enter_async_context(gateway_under_test(folder, text))
        yield World(provider, gateway, authority)


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with _world(tmp_path_factory.mktemp("identity"), CONFIG + SERVER) as made:
        await made.ready()
        await made.gateway.serving("time")
        yield made


def _said(result: Any) -> Any:
    return json.loads(result.content[0].text)


@ERAS
@pytest.mark.requirement("identity:issuer-vouches")
async def test_a_person_who_signed_in_calls_a_tool(world: World, mode: str) -> None:
    tokens = await world.issuer.sign_in("ada", world.resource)
    world.gateway.keys["ada"] = tokens.access

    async with world.gateway.as_("ada", mode) as client:
        echo = await client.call_tool("time__echo", {"text": "hello"})
        result = await client.call_tool("gateway__whoami", {})

    assert echo.content[0].text == "hello"  # type: ignore[union-attr]
    assert _said(result) == {
        "subject": "ada",
        "issuer": world.issuer.url,
        "tenant": "default",
        "client": "runtime",
        "actor": "",
        "roles": ["user"],
        "scopes": ["orders:read"],
        "mode": "unknown",
    }
    last = [line for line in world.gateway.outcomes() if line.get("subject") == "ada"][-1]
    assert (last["issuer"], last["outcome"]) == (world.issuer.url, "ok")
    assert tokens.access not in json.dumps(world.gateway.entries())


class Memory:
    """What an SDK client keeps of a log-in."""

    tokens: OAuthToken | None = None
    info: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.info

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.info = client_info


@ERAS
@pytest.mark.requirement("identity:challenges")
@pytest.mark.requirement("identity:metadata")
async def test_a_program_finds_its_own_way_from_the_401_to_a_token(world: World, mode: str) -> None:
    """The SDK's client knows the gateway's address alone, and its own secret at the issuer."""
    memory = Memory()
    provider = ClientCredentialsOAuthProvider(
        world.resource, memory, "runtime", "a secret", issuer=world.issuer.url
    )
    http = httpx2.AsyncClient(auth=provider, verify=world.issuer.trusted, timeout=BOUND)
    async with (
        http,
        Client(streamable_http_client(world.resource, http_client=http), mode=mode) as c,
    ):
        result = await c.call_tool("gateway__whoami", {})

    assert memory.tokens is not None
    assert _said(result)["subject"] == "runtime"


@pytest.mark.requirement("identity:tokens-are-for-us")
async def test_a_token_for_one_server_opens_that_server_alone(world: World) -> None:
    own = f"{world.gateway.url}/servers/time/mcp"
    token = await world.issuer.token(own)

    at_its_own = await world.status(token, "/servers/time/mcp")
    elsewhere = [await world.status(token, path) for path in ("/mcp", "/servers/orders/mcp")]

    assert (at_its_own, elsewhere) == (200, [401, 401])


async def _good(world: World) -> str:
    return await world.issuer.token(world.resource, "orders:read")


async def _for_another(world: World) -> str:
    return await world.issuer.token("https://elsewhere.example.com/mcp")


async def _id_token(world: World) -> str:
    return (await world.issuer.sign_in("ada", world.resource)).id


async def _opaque(world: World) -> str:
    return await world.issuer.token()


async def _tampered(world: World) -> str:
    head, body, signature = (await _good(world)).split(".")
    return f"{head}.{body[:20]}{'A' if body[20] != 'A' else 'B'}{body[21:]}.{signature}"


async def _unsigned(world: World) -> str:
    return (await _good(world)).rpartition(".")[0] + "."


async def _mixed(world: World) -> str:
    ours, theirs = await _good(world), await _id_token(world)
    return ".".join([ours.split(".")[0], *theirs.split(".")[1:]])


@pytest.mark.requirement("identity:challenges")
@pytest.mark.parametrize(
    ("obtain", "why"),
    [
        (_for_another, "another audience"),
        (_id_token, "typ is not at+jwt"),
        (_opaque, "neither a key of this gateway nor a signed JWT"),
        (_tampered, "no key of the issuer signed the token"),
        (_unsigned, "nor a signed JWT"),
        (_mixed, "no key of the issuer signed the token"),
    ],
)
async def test_any_other_token_is_refused_and_told_where_to_get_one(
    world: World, obtain: Any, why: str
) -> None:
    token = await obtain(world)
    before = len(world.gateway.outcomes())

    async with world.holding(token) as http:
        answer = await http.post("/mcp", json=PING)
        challenge = answer.headers["www-authenticate"]
        where = challenge.split('"')[1]
        metadata = (await http.get(where)).json()

    assert answer.status_code == 401
    assert why in answer.json()["error"]
    assert challenge == f'Bearer resource_metadata="{where}", error="invalid_token"'
    assert where == f"{world.gateway.url}/.well-known/oauth-protected-resource/mcp"
    assert metadata["resource"] == world.resource
    assert metadata["authorization_servers"] == [world.issuer.url]
    assert len(world.gateway.outcomes()) == before
    assert token not in answer.text


@pytest.mark.requirement("identity:tokens-are-in-time")
async def test_the_token_that_was_accepted_is_refused_when_its_time_is_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await _good(world)
    assert await world.status(token) == 200

    monkeypatch.setattr(world.gateway.parts.tokens, "_clock", lambda: time.time() + 331)

    async with world.holding(token) as http:
        answer = await http.post("/mcp", json=PING)
    assert (answer.status_code, "expired" in answer.text) == (401, True)


@pytest.mark.requirement("identity:keys-are-revoked-within-a-second")
@pytest.mark.requirement("identity:revocation")
async def test_a_subject_that_another_process_revokes_is_out_within_a_second(world: World) -> None:
    leaver = (await world.issuer.sign_in("leaver", world.resource)).access
    stays = (await world.issuer.sign_in("stays", world.resource)).access
    name = f"subject:{world.issuer.url}|leaver"
    async with world.holding(leaver) as http:
        begun = await http.post("/mcp", json={**PING, "method": "initialize", "params": {}})
        http.headers["mcp-session-id"] = begun.headers["mcp-session-id"]
        assert (await http.post("/mcp", json=PING)).status_code == 200

        other = Database.open(world.gateway.parts.home.database)
        await asyncio.to_thread(Revocations(other).deny, name, "left", int(time.time()))
        other.close()
        revoked = time.monotonic()
        async with asyncio.timeout(BOUND):
            while (await http.post("/mcp", json=PING)).status_code == 200:
                await asyncio.sleep(0.01)
        took = time.monotonic() - revoked

    assert took < 1.0
    assert await world.status(leaver) == 401
    assert await world.status(stays) == 200


@pytest.mark.requirement("identity:keys-rotate")
async def test_keys_that_the_issuer_changes_are_taken_soon_and_the_old_ones_refused(
    tmp_path: Path,
) -> None:
    async with _world(tmp_path) as world:
        await world.ready()
        old = await _good(world)
        assert await world.status(old) == 200

        await world.issuer.rotate("second")
        new = await _good(world)
        rotated = time.monotonic()
        async with asyncio.timeout(BOUND):
            while await world.status(new) != 200:
                await asyncio.sleep(0.05)
        took = time.monotonic() - rotated

        assert took < SOON
        assert await world.status(old) == 401


@pytest.mark.requirement("identity:bad-documents-keep-the-keys")
async def test_while_the_issuer_is_away_its_tokens_are_still_good(tmp_path: Path) -> None:
    async with _world(tmp_path) as world:
        await world.ready()
        first, second = await _good(world), await _good(world)
        assert await world.status(first) == 200

        await world.issuer.end()

        assert await world.status(first) == 200
        assert await world.status(second) == 200
        async with httpx2.AsyncClient(base_url=world.gateway.url) as http:
            assert (await http.get("/readyz")).status_code == 200


@pytest.mark.requirement("identity:documents-by-network")
async def test_an_issuer_whose_certificate_is_not_trusted_costs_its_tokens_only(
    tmp_path: Path,
) -> None:
    distrusting = CONFIG.replace('ca = ["{authority}"]', "")
    async with _world(tmp_path, distrusting) as world:
        token = await _good(world)
        world.gateway.keys["program"] = token
        async with world.gateway.http("program") as http:
            refused = await http.post("/mcp", json=PING)
            ready = await http.get("/readyz")
        async with world.gateway.http("alice") as http:
            served = await http.post("/mcp", json=PING)

    assert (refused.status_code, served.status_code) == (401, 200)
    assert "keys of the issuer are not there yet" in refused.text
    assert ready.status_code == 503
    assert "issuer" in ready.json()["troubles"]
