"""People connect a server from inside their runtime, and each sees their own list."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import mcp_types as types
import pytest
from mcp.client import Client
from mcp.client.context import ClientRequestContext
from mcp.shared.exceptions import MCPError, UrlElicitationRequiredError

from mcp_gateway.core.grants import grant_key
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.target import Target
from mcp_gateway.core.views import View
from mcp_gateway.oauth.ports import Person
from mcp_gateway.services import awaited
from mcp_gateway.services.views import PersonalViews
from mcp_gateway.store.keys import LOCAL
from tests.support.gateway import BOUND, TENANT, GatewayUnderTest, gateway_under_test
from tests.support.keyed_upstream import Keyed, keyed_upstream
from tests.support.oauth_fakes import FakeBrowsers

CONFIG = """
[policy]
rules = ["builtin:first-run", "rules.csv"]

[servers.notes]
connector = "mcp_http"
url = "@URL@"
discovery = "first_grant"
grant = { kind = "static", per_user = true }
"""
RULES = """\
p, 40, notes, role:user, *, tool/notes/*, tools/call, , allow,
"""
LINK = re.compile(r"http://127\.0\.0\.1:\d+/connect/[A-Za-z0-9_-]{43}")


@pytest.fixture
async def keyed() -> AsyncIterator[Keyed]:
    async with keyed_upstream(alices=["read", "write"], bobs=["read"]) as running:
        yield running


@pytest.fixture
async def gateway(tmp_path: Path, keyed: Keyed) -> AsyncIterator[GatewayUnderTest]:
    (tmp_path / "var").mkdir(mode=0o700)
    (tmp_path / "var" / "rules.csv").write_text(RULES)
    async with gateway_under_test(tmp_path, CONFIG.replace("@URL@", keyed.url)) as running:
        running.key("bob", "user")
        await running.parts.keyring.refresh()
        people = {name: person(name) for name in ("alice", "bob")}
        running.parts.wired.browsers = FakeBrowsers(people)
        await running.serving("notes")
        yield running


def person(name: str) -> Person:
    return Person(f"p-{name}", TENANT, LOCAL, name, name, frozenset({"user"}))


def link_in(text: str) -> str:
    found = LINK.search(text)
    assert found
    return found[0]


async def opened(link: str, who: str, key: str = "") -> httpx2.Response:
    """What a browser is shown there; with a key, after the form was sent."""
    async with httpx2.AsyncClient(cookies={"mcpgw": who}, timeout=BOUND) as browser:
        shown = await browser.get(link)
        return await browser.post(link, data={"secret": key}) if key else shown


async def connect(gateway: GatewayUnderTest, who: str, key: str) -> None:
    """As the refusal of a call says."""
    async with gateway.as_(who) as client:
        refused = await client.call_tool("connect_notes", {})
    answer = await opened(link_in(text_of(refused)), who, key)
    assert answer.status_code == 200, answer.text
    whose = grant_key(Principal(LOCAL, who, TENANT), "notes")
    await until(lambda: whose in views_of(gateway) and ("tool", "notes__read") in catalog(gateway))


def views_of(gateway: GatewayUnderTest) -> Mapping[Any, View]:
    views = gateway.parts.wired.views
    assert isinstance(views, PersonalViews)
    return views._views


def catalog(gateway: GatewayUnderTest) -> Mapping[Any, Target]:
    world = gateway.parts.current.of(TENANT)
    assert world
    return world.catalog


def text_of(result: types.CallToolResult) -> str:
    first = result.content[0]
    assert isinstance(first, types.TextContent)
    return first.text


async def until(true: Any) -> None:
    async with asyncio.timeout(BOUND):
        while not true():
            await asyncio.sleep(0.02)


async def names(gateway: GatewayUnderTest, who: str, mode: str = "auto") -> set[str]:
    async with gateway.as_(who, mode) as client:
        return {
            tool.name
            for tool in (await client.list_tools()).tools
            if not tool.name.startswith("gateway__")
        }


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


@pytest.mark.requirement("connecting:asked-by-elicitation")
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_who_opens_the_address_that_a_call_asks_for_has_its_answer(
    gateway: GatewayUnderTest, keyed: Keyed, mode: str
) -> None:
    await connect(gateway, "bob", "bobs")
    asked: list[str] = []

    async def answer(ctx: ClientRequestContext, params: Any) -> types.ElicitResult:
        asked.append(params.url)
        assert (await opened(params.url, "alice", "alices")).status_code == 200
        return types.ElicitResult(action="accept")

    async with gateway.as_("alice", mode, elicitation_callback=answer) as client:
        result = await call_again(client, answer)

    assert text_of(result) == "read for alices"
    assert len(asked) == 1
    assert keyed.called == [("alices", "read")]
    assert not any(b"inputResponses" in body or b"requestState" in body for body in keyed.bodies)


async def call_again(client: Client, answer: Any) -> Any:
    """The call; in the initialize era an address is an error, and the call is made once more."""
    try:
        return await client.call_tool("notes__read", {})
    except MCPError as required:
        await answer(None, UrlElicitationRequiredError.from_error(required.error).elicitations[0])
        return await client.call_tool("notes__read", {})


@pytest.mark.requirement("connecting:a-runtime-is-told-when-to-call-again")
async def test_a_runtime_that_waits_is_told_when_its_person_has_connected(
    gateway: GatewayUnderTest,
) -> None:
    await connect(gateway, "bob", "bobs")
    told: list[Any] = []

    async def heard(message: Any) -> None:
        told.append(message)

    async def unused(ctx: ClientRequestContext, params: Any) -> types.ElicitResult:
        return types.ElicitResult(action="cancel")

    handlers: Any = {"message_handler": heard, "elicitation_callback": unused}
    async with gateway.as_("alice", "legacy", **handlers) as client:
        with pytest.raises(MCPError) as required:
            await client.call_tool("notes__read", {})
        asked = UrlElicitationRequiredError.from_error(required.value.error).elicitations[0]
        await opened(asked.url, "alice", "alices")
        completed = types.ElicitCompleteNotification
        await until(lambda: any(isinstance(message, completed) for message in told))
        ids = [m.params.elicitation_id for m in told if isinstance(m, completed)]

    assert ids == [asked.elicitation_id]


@pytest.mark.requirement("connecting:asked-in-words")
async def test_a_runtime_without_addresses_is_refused_in_words_with_the_link(
    gateway: GatewayUnderTest, keyed: Keyed
) -> None:
    await connect(gateway, "bob", "bobs")

    async with gateway.as_("alice") as client:
        refused = await client.call_tool("notes__read", {})
        link = link_in(text_of(refused))
        await opened(link, "alice", "alices")
        again = await client.call_tool("notes__read", {})

    assert refused.is_error
    assert "consent_required" in text_of(refused)
    assert text_of(again) == "read for alices"
    assert keyed.called == [("alices", "read")]


@pytest.mark.requirement("connecting:asked-once")
@pytest.mark.parametrize("action", ["accept", "decline", "cancel"])
async def test_who_did_not_connect_after_all_is_refused_and_not_asked_again(
    gateway: GatewayUnderTest, action: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(awaited, "BOUND", 0.3)
    await connect(gateway, "bob", "bobs")
    asked: list[str] = []

    async def answer(ctx: ClientRequestContext, params: Any) -> types.ElicitResult:
        asked.append(params.url)
        return types.ElicitResult(action=action)

    async with gateway.as_("alice", elicitation_callback=answer) as client:
        refused = await client.call_tool("notes__read", {})

    assert refused.is_error
    assert LINK.search(text_of(refused))
    assert len(asked) == 1


@pytest.mark.requirement("connecting:a-person-has-a-while")
async def test_a_call_whose_person_is_still_on_their_way_waits_for_them(
    gateway: GatewayUnderTest,
) -> None:
    await connect(gateway, "bob", "bobs")
    links: list[str] = []

    async def answer(ctx: ClientRequestContext, params: Any) -> types.ElicitResult:
        links.append(params.url)
        return types.ElicitResult(action="accept")

    async def later() -> None:
        await until(lambda: links)
        await until(lambda: len(gateway.outcomes()) > known)
        await opened(links[0], "alice", "alices")

    async with gateway.as_("alice", elicitation_callback=answer) as client:
        known = len(gateway.outcomes())
        person = asyncio.ensure_future(later())
        result = await client.call_tool("notes__read", {})
        await person

    assert text_of(result) == "read for alices"
    assert len(links) == 1


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
    assert await names(gateway, "alice") == {"connect_notes"}
    kinds = [line["kind"] for line in gateway.entries()]
    assert kinds.count("grant.broken") == 1


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
    jar = {"mcpgw": "alice"}
    async with httpx2.AsyncClient(base_url=gateway.url, cookies=jar, timeout=BOUND) as browser:
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
    token = re.search(r'name="token" value="([0-9a-f]+)"', page)
    assert token
    return {"act": act, "server": "notes", "token": token[1]}


async def test_no_key_is_in_the_store_or_the_ledger(
    gateway: GatewayUnderTest, tmp_path: Path
) -> None:
    await connect(gateway, "alice", "alices")

    files = [path for path in (tmp_path / "var").rglob("*") if path.is_file()]
    holding = [path.name for path in files if b"alices" in path.read_bytes()]

    assert holding == []
