"""People connect a server from inside their runtime, and each sees their own list."""

from pathlib import Path
from typing import Any

import pytest

from mcp_gateway.services.connections import Connections
from tests.support.connected import (
    browser_of,
    catalog,
    connect,
    link_in,
    names,
    opened,
    text_of,
    token_in,
    until,
)
from tests.support.gateway import GatewayUnderTest
from tests.support.keyed_upstream import Keyed


@pytest.mark.requirement("connecting:a-tool-stands-for-a-list")
@pytest.mark.requirement("connecting:each-sees-their-own-list")
async def test_each_person_connects_and_sees_what_their_own_list_has(
    gateway: GatewayUnderTest,
) -> None:
    before = await names(gateway, "alice")
    await connect(gateway, "alice", "alices")
    alices, bobs_before = await names(gateway, "alice"), await names(gateway, "bob")
    await connect(gateway, "bob", "bobs")
    bobs = await names(gateway, "bob")

    assert before == bobs_before == {"connect_notes"}
    assert alices == {"notes__read", "notes__write"}
    assert bobs == {"notes__read"}


@pytest.mark.requirement("connecting:each-sees-their-own-list")
async def test_a_call_of_what_ones_own_list_does_not_have_is_of_an_unknown_name(
    gateway: GatewayUnderTest, keyed: Keyed
) -> None:
    await connect(gateway, "alice", "alices")
    await connect(gateway, "bob", "bobs")

    async with gateway.as_("alice") as client:
        hers = await client.call_tool("notes__write", {})
    async with gateway.as_("bob") as client:
        with pytest.raises(Exception, match="no tool is called 'notes__write'"):
            await client.call_tool("notes__write", {})

    assert text_of(hers) == "write for alices"
    assert keyed.called == [("alices", "write")]


@pytest.mark.requirement("connecting:a-tool-stands-for-a-list")
async def test_the_endpoint_of_one_server_has_the_tool_that_connects_it_too(
    gateway: GatewayUnderTest,
) -> None:
    async with gateway.as_("alice", path="/servers/notes/mcp") as client:
        before = [tool.name for tool in (await client.list_tools()).tools]
        said = text_of(await client.call_tool("connect_notes", {}))
    await opened(gateway, link_in(said), "alice", "alices")
    await until(lambda: ("tool", "notes__read") in catalog(gateway))
    async with gateway.as_("alice", path="/servers/notes/mcp") as client:
        after = {tool.name for tool in (await client.list_tools()).tools}

    assert before == ["connect_notes"]
    assert after == {"read", "write"}


@pytest.mark.requirement("connecting:listeners-are-told")
async def test_listeners_are_told_that_their_list_is_another_one_now(
    gateway: GatewayUnderTest,
) -> None:
    told: list[str] = []

    async def heard(message: Any) -> None:
        told.append(type(message).__name__)

    async with gateway.as_("alice", "legacy", message_handler=heard) as client:
        await client.list_tools()
        await connect(gateway, "alice", "alices")
        await until(lambda: "ToolListChangedNotification" in told)


@pytest.mark.requirement("connecting:revoked-here-and-there")
async def test_what_its_person_ends_opens_nothing_any_more(
    gateway: GatewayUnderTest, keyed: Keyed
) -> None:
    await connect(gateway, "alice", "alices")
    async with gateway.http("alice") as http:
        shown = (await http.get("/admin/connections")).json()
        ended = await http.post("/admin/connections/revoke", json={"server": "notes"})
        after = (await http.get("/admin/connections")).json()

    assert [one["state"] for one in shown] == ["connected"]
    assert ended.status_code == 200
    assert [one["state"] for one in after] == ["not connected"]
    assert await names(gateway, "alice") == {"connect_notes"}
    async with gateway.as_("alice") as client:
        assert text_of(await client.call_tool("connect_notes", {})).startswith("Open ")


@pytest.mark.requirement("connecting:health-before-a-call")
async def test_a_key_that_its_server_takes_no_more_is_shown_before_a_call_fails(
    gateway: GatewayUnderTest, keyed: Keyed
) -> None:
    await connect(gateway, "alice", "alices")
    del keyed.keys["alices"]
    async with gateway.http("alice") as http:
        checked = await http.post("/admin/connections/check", json={"server": "notes"})

    assert checked.json()["state"] == "broken"
    async with gateway.http("alice") as http:
        measured = (await http.get("/metrics")).text
    assert 'mcp_gateway_grants{server="notes",state="connected"} 0.0' in measured
    assert 'mcp_gateway_grants{server="notes",state="broken"} 1.0' in measured
    assert await names(gateway, "alice") == {"connect_notes"}
    kinds = [line["kind"] for line in gateway.entries()]
    assert kinds.count("grant.broken") == 1


@pytest.mark.requirement("connecting:last-used")
@pytest.mark.requirement("operations:credentials-are-measured")
async def test_when_a_grant_was_used_last_is_shown_and_what_was_obtained_is_measured(
    gateway: GatewayUnderTest,
) -> None:
    await connect(gateway, "alice", "alices")
    consents = gateway.parts.wired.consents
    assert isinstance(consents, Connections)
    await consents.note_used()
    async with gateway.http("admin") as http:
        before = (await http.get("/admin/grants")).json()
    async with gateway.as_("alice") as client:
        await client.call_tool("notes__read", {})
    await consents.note_used()
    async with gateway.http("admin") as http:
        after = (await http.get("/admin/grants")).json()
        measured = (await http.get("/metrics")).text
    async with browser_of(gateway, "alice") as browser:
        page = (await browser.get("/connections")).text

    assert before[0]["used"] == 0
    assert after[0]["used"] >= after[0]["created"]
    assert "last used never" not in page
    assert "last used" in page
    about = 'mcp_gateway_credentials_total{kind="static",outcome="kept",server="notes"}'
    assert f"{about} 1.0" in measured
    assert 'mcp_gateway_grants{server="notes",state="connected"} 1.0' in measured
    assert 'mcp_gateway_credential_seconds_count{kind="static"}' in measured
    assert "mcp_gateway_vault_secrets{key=" in measured


@pytest.mark.requirement("connecting:administrators-see-and-revoke")
async def test_an_administrator_sees_every_grant_and_revokes_one(
    gateway: GatewayUnderTest,
) -> None:
    await connect(gateway, "alice", "alices")
    async with gateway.http("admin") as http:
        grants = (await http.get("/admin/grants")).json()
        ended = await http.post("/admin/grants/revoke", json={"id": grants[0]["id"]})
        after = (await http.get("/admin/grants")).json()
    async with gateway.http("alice") as http:
        refused = await http.get("/admin/grants")

    assert [(one["subject"], one["upstream"]) for one in grants] == [("alice", "notes")]
    assert ended.status_code == 200
    assert after == []
    assert refused.status_code in (403, 404)
    assert await names(gateway, "alice") == {"connect_notes"}


async def test_a_person_connects_and_disconnects_on_their_own_page(
    gateway: GatewayUnderTest,
) -> None:
    async with browser_of(gateway, "alice") as browser:
        page = await browser.get("/connections")
        link = await browser.post("/connections", data=form_in(page.text, "link"))
        typed = await browser.post(link.headers["location"], data={"secret": "alices"})
        connected = await browser.get("/connections")
        await browser.post("/connections", data=form_in(connected.text, "revoke"))
        after = await browser.get("/connections")

    assert "not connected" in page.text
    assert typed.status_code == 200
    assert "<p>connected</p>" in connected.text
    assert "not connected" in after.text
    targets = [line["target"] for line in gateway.outcomes() if "connections" in line["target"]]
    assert targets.count("operation/gateway/connections.revoke") == 1


def form_in(page: str, act: str) -> dict[str, str]:
    section = page[page.index("<section>") :]
    return {"act": act, "server": "notes", "token": token_in(section)}


async def test_no_key_is_in_the_store_or_the_ledger(
    gateway: GatewayUnderTest, tmp_path: Path
) -> None:
    await connect(gateway, "alice", "alices")

    files = [path for path in (tmp_path / "var").rglob("*") if path.is_file()]
    holding = [path.name for path in files if b"alices" in path.read_bytes()]

    assert holding == []
