"""A person consents at a real authorization server, from inside a runtime."""

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import httpx2
import pytest

from tests.support.certificates import Authority
from tests.support.connected import RULES, browser_of, link_in, text_of, until
from tests.support.gateway import GatewayUnderTest, gateway_under_test
from tests.support.keyed_upstream import Keyed, keyed_upstream
from tests.support.oidc_provider import Provider, openid_provider

CONFIG = """
[network]
ca = ["@CA@"]

[policy]
rules = ["builtin:first-run", "rules.csv"]

[servers.notes]
connector = "mcp_http"
url = "@URL@"
discovery = "first_grant"
grant = { kind = "delegated", scopes = ["orders:read"] }
"""
REGISTERS = {"registration": {"enabled": True}, "revocation": {"enabled": True}}
World = tuple[GatewayUnderTest, Keyed, Provider]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    (tmp_path / "var").mkdir(mode=0o700)
    (tmp_path / "var" / "rules.csv").write_text(RULES)
    authority = Authority(tmp_path)
    async with (
        openid_provider(tmp_path, authority, features=REGISTERS) as provider,
        keyed_upstream(ada=["read", "write"]) as keyed,
    ):
        keyed.issuer = provider.url
        config = CONFIG.replace("@CA@", authority.certificate).replace("@URL@", keyed.url)
        async with gateway_under_test(tmp_path, config) as gateway:
            await gateway.serving("notes")
            yield gateway, keyed, provider


async def consent(gateway: GatewayUnderTest, provider: Provider) -> httpx2.Response:
    """Alice follows the link of the tool, and is ada at the provider."""
    async with gateway.as_("alice") as client:
        link = link_in(text_of(await client.call_tool("connect_notes", {})))
    async with browser_of(gateway, "alice") as browser:
        await browser.get(link)
        leaving = await browser.post(link)
        assert leaving.status_code == 200, leaving.text
        address = re.search(r'href="([^"]+)"', leaving.text)
        assert address
        back = await provider.agreed(unescape(address[1]), "ada")
        return await browser.get(f"{gateway.url}/connect/callback", params=back)


@pytest.mark.requirement("connecting:a-consent-connects")
async def test_a_person_consents_at_their_provider_and_the_call_is_made_as_them(
    world: World,
) -> None:
    gateway, _, provider = world

    connected = await consent(gateway, provider)
    await until(lambda: gateway.parts.snapshots.running["notes"].reviewed.served)
    async with gateway.as_("alice") as client:
        listed = {tool.name for tool in (await client.list_tools()).tools}
        result = await client.call_tool("notes__read", {})

    assert "notes is connected to you" in connected.text
    assert {"notes__read", "notes__write"} <= listed
    assert "connect_notes" not in listed
    assert text_of(result) == "read for ada"
    line = gateway.outcomes()[-1]
    assert line["credential"].startswith("delegated:notes:")
    made = [entry for entry in gateway.entries() if entry["kind"] == "grant.made"]
    assert [entry["authorization_server"] for entry in made] == [provider.url]
    assert provider.granted("authorization_code") == 1


@pytest.mark.requirement("connecting:revoked-here-and-there")
async def test_what_its_person_ends_is_over(world: World) -> None:
    gateway, _, provider = world
    await consent(gateway, provider)
    async with gateway.http("alice") as http:
        ended = await http.post("/admin/connections/revoke", json={"server": "notes"})
        shown = (await http.get("/admin/connections")).json()

    assert ended.status_code == 200
    assert [one["state"] for one in shown] == ["not connected"]
    assert [entry["kind"] for entry in gateway.entries()].count("grant.revoked") == 1
    assert not gateway.parts.current.keyring.grants


async def test_who_declines_at_their_provider_is_not_connected_and_told_so(world: World) -> None:
    gateway, _, provider = world
    async with gateway.as_("alice") as client:
        link = link_in(text_of(await client.call_tool("connect_notes", {})))
    async with browser_of(gateway, "alice") as browser:
        await browser.get(link)
        leaving = await browser.post(link)
        state = re.search(r"state=([A-Za-z0-9_-]+)", leaving.text)
        assert state
        back = {"error": "access_denied", "state": state[1], "iss": provider.url}
        told = await browser.get(f"{gateway.url}/connect/callback", params=back)

    assert told.status_code == 400
    assert not gateway.parts.current.keyring.grants
    assert [entry["kind"] for entry in gateway.entries()].count("connect.refused") == 1
