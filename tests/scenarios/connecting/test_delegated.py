"""A person consents at a real authorization server, from inside a runtime."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.connected import browser_of, text_of, until
from tests.support.consented import World, consent, consenting, leaving, link_of


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with consenting(tmp_path) as made:
        yield made


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
    link = await link_of(gateway)
    async with browser_of(gateway, "alice") as browser:
        asked = parse_qs(urlsplit(await leaving(browser, link)).query)
        back = {"error": "access_denied", "state": asked["state"][0], "iss": provider.url}
        told = await browser.get(f"{gateway.url}/connect/callback", params=back)

    assert told.status_code == 400
    assert not gateway.parts.current.keyring.grants
    assert [entry["kind"] for entry in gateway.entries()].count("connect.refused") == 1
