"""People of the gateway's own, from the first password to the last trace of them."""

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from mcp_gateway.core.grants import grant_key
from mcp_gateway.core.principal import Principal
from mcp_gateway.oauth.vault import place_of
from mcp_gateway.services.passwords import hashed
from mcp_gateway.store.keys import Keys
from tests.support.connected import connect, connectable, text_of, token_in
from tests.support.gateway import BOUND, TENANT, GatewayUnderTest

PASSWORD = "correct horse battery"
BOB = Principal("local", "bob", TENANT)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[GatewayUnderTest]:
    async with connectable(tmp_path) as (running, _):
        yield running


async def administered(gateway: GatewayUnderTest, path: str, **asked: str) -> None:
    async with gateway.http("admin") as admin:
        done = await admin.post(f"/admin{path}", json=asked)
        assert done.status_code == 200, done.text


async def logged_in(gateway: GatewayUnderTest, browser: httpx2.AsyncClient) -> httpx2.Response:
    """What bob sees of his connections, once he has shown his password."""
    form = await browser.get("/oauth/login")
    asked = {"token": token_in(form.text), "name": "bob", "password": PASSWORD}
    await browser.post("/oauth/login", data=asked)
    return await browser.get("/connections")


@pytest.mark.requirement("login:with-a-password")
@pytest.mark.requirement("people:what-ends-them")
async def test_what_a_person_connected_is_theirs_however_they_log_in_and_ends_with_them(
    gateway: GatewayUnderTest,
) -> None:
    await connect(gateway, "bob", "bobs")
    await administered(gateway, "/people", name="bob", password=hashed(PASSWORD))
    secrets = gateway.parts.wired.secrets
    assert secrets
    brought = place_of(BOB, BOB.issuer, "login")
    await secrets.put(brought, {"refresh_token": "rt-1"})

    async with httpx2.AsyncClient(base_url=gateway.url, timeout=BOUND) as browser:
        mine = await logged_in(gateway, browser)
        await administered(gateway, "/people/remove", name="bob")
        after = await browser.get("/connections")

    assert "connected" in mine.text
    assert after.status_code == 303
    assert grant_key(BOB, "notes") not in gateway.parts.current.keyring.grants
    for place in (brought, place_of(BOB, "notes", "static")):
        with pytest.raises(KeyError):
            await secrets.get(place)


@pytest.mark.requirement("people:what-ends-them")
async def test_whoever_has_the_name_next_connects_anew(gateway: GatewayUnderTest) -> None:
    await administered(gateway, "/people", name="bob", password=hashed(PASSWORD))
    await connect(gateway, "bob", "bobs")
    await administered(gateway, "/people/remove", name="bob")
    async with gateway.http("bob") as runtime:
        refused = await runtime.get("/mcp")
    a_second_later = int(time.time()) + 1  # what is issued in the second of the end is over too
    somebody = replace(BOB, roles=frozenset({"user"}))
    gateway.keys["bob"] = Keys(gateway.parts.database).create(somebody, a_second_later)[1]
    await gateway.parts.keyring.refresh()

    async with gateway.as_("bob") as client:
        told = await client.call_tool("connect_notes", {})

    assert refused.status_code == 401
    assert "/connect/" in text_of(told)
    ended = [line for line in gateway.entries() if line["kind"] == "grant.revoked"]
    assert [line["reason"] for line in ended] == ["the person was removed"]
