"""An upstream may show people one name in different words: each sees their own, once reviewed."""

import pytest
from mcp.shared.exceptions import MCPError

from tests.support.connected import catalog, connect, names, text_of, until
from tests.support.gateway import GatewayUnderTest
from tests.support.keyed_upstream import Keyed


async def described(gateway: GatewayUnderTest, who: str) -> dict[str, str]:
    async with gateway.as_(who) as client:
        tools = (await client.list_tools()).tools
        return {tool.name: tool.description or "" for tool in tools if "notes" in tool.name}


async def both_connect(gateway: GatewayUnderTest, keyed: Keyed) -> None:
    """Alice first: her wording is pinned, and bob's is another."""
    keyed.words["bobs"] = " of the sales team"
    await connect(gateway, "alice", "alices")
    await connect(gateway, "bob", "bobs")
    await until(lambda: gateway.parts.snapshots.running["notes"].reviewed.held)


@pytest.mark.requirement("connecting:wordings")
async def test_a_wording_that_nobody_has_reviewed_is_held_back_for_whom_it_is_shown_to(
    gateway: GatewayUnderTest, keyed: Keyed
) -> None:
    await both_connect(gateway, keyed)

    hers, his = await described(gateway, "alice"), await described(gateway, "bob")
    async with gateway.http("admin") as http:
        found = (await http.post("/admin/servers/diff", json={"server": "notes"})).json()
    async with gateway.as_("bob") as client:
        with pytest.raises(MCPError, match="no tool is called 'notes__read'"):
            await client.call_tool("notes__read", {})

    assert hers["notes__read"] == "The tool read"
    assert his == {}
    assert [(one["target"], one["state"]) for one in found] == [("tool/notes/read", "changed")]
    assert any("of the sales team" in line for line in found[0]["diff"])
    assert keyed.called == []


@pytest.mark.requirement("connecting:wordings")
async def test_once_both_are_reviewed_each_person_is_given_their_own(
    gateway: GatewayUnderTest, keyed: Keyed
) -> None:
    await both_connect(gateway, keyed)
    async with gateway.http("admin") as http:
        accepted = await http.post("/admin/servers/accept", json={"server": "notes"})
        await until(lambda: not gateway.parts.snapshots.running["notes"].reviewed.held)
        left = (await http.post("/admin/servers/diff", json={"server": "notes"})).json()

    hers, his = await described(gateway, "alice"), await described(gateway, "bob")
    called = {}
    for who in ("alice", "bob"):
        async with gateway.as_(who) as client:
            called[who] = text_of(await client.call_tool("notes__read", {}))

    assert accepted.status_code == 200, accepted.text
    assert left == []
    assert hers["notes__read"] == "The tool read"
    assert his == {"notes__read": "The tool read of the sales team"}
    assert called == {"alice": "read for alices", "bob": "read for bobs"}
    digests = [line["digest"] for line in gateway.outcomes() if line["target"] == "tool/notes/read"]
    assert len(set(digests)) == 2


@pytest.mark.requirement("connecting:wordings")
async def test_a_wording_that_changes_again_is_held_back_and_the_others_stay(
    gateway: GatewayUnderTest, keyed: Keyed
) -> None:
    await both_connect(gateway, keyed)
    async with gateway.http("admin") as http:
        await http.post("/admin/servers/accept", json={"server": "notes"})
    await until(lambda: not gateway.parts.snapshots.running["notes"].reviewed.held)

    keyed.words["bobs"] = " and everything else"
    async with gateway.http("bob") as http:
        await http.post("/admin/connections/check", json={"server": "notes"})
    await until(lambda: gateway.parts.snapshots.running["notes"].reviewed.held)

    assert await described(gateway, "bob") == {}
    assert (await described(gateway, "alice"))["notes__read"] == "The tool read"
    assert ("tool", "notes__read") in catalog(gateway)
    assert await names(gateway, "alice") == {"notes__read", "notes__write"}
