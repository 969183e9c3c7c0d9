"""Listens end to end: real clients, real upstreams of both eras, and what changes between them."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mcp.client.subscriptions import (
    PromptsListChanged,
    ResourceUpdated,
    Subscription,
    ToolsListChanged,
)
from mcp_types import TextResourceContents

from mcp_gateway.config import load
from mcp_gateway.wire import modern
from tests.support import announcing
from tests.support.announcing import NOTE, SECRET, Announcer
from tests.support.gateway import GatewayUnderTest, gateway_under_test
from tests.support.listener import ALL, listening
from tests.support.sdk_upstream import serving
from tests.support.waiting import until

SOON = 0.5
REVOCATION = 1.0
BOUND = 10.0
RULES = """
p, 0, admins,     role:admin, *, operation/*/*,            *,              , allow,
p, 1, no-secrets, role:user, *, resource/*/note://secret*, *,              , deny,
p, 2, lists,      role:user, *, catalog/*/*,               *,              , allow,
p, 3, listens,    role:user, *, subscription/*/*,          *,              , allow,
p, 4, uses,       role:user, *, tool/up/*,                 tools/call,     , allow,
p, 5, reads,      role:user, *, resource/up/*,             resources/read, , allow,
p, 6, lists-too,  role:guest, *, catalog/*/*,              *,              , allow,
p, 7, hears-too,  role:guest, *, subscription/*/*,         *,              , allow,
p, 8, whoami,     role:guest, *, tool/gateway/whoami,      tools/call,     , allow,
"""
CONFIG = """
[policy]
rules = ["rules.csv"]

[limits]
principal = { default = "10000/minute" }

[streams]
listens_each = 3

[identity]
revocation = 0.7

[telemetry]
log_level = "warning"

[servers.up]
connector = "@KIND@"
trust = "follow"
"""
SUBSCRIPTION = modern.META_SUBSCRIPTION


@dataclass
class World:
    gateway: GatewayUnderTest
    upstream: Announcer

    async def attended(self) -> None:
        """Waits until the gateway listens to the upstream."""
        await until(self.gateway.parts.listens.attendance._interest("up").settled.is_set)

    async def rules(self, text: str) -> None:
        """Puts other rules in force."""
        home = self.gateway.parts.home
        (home.folder / "rules.csv").write_text(text)
        await self.gateway.take(load(home.config, {}))

    def listens(self) -> int:
        return len(self.gateway.parts.listens)


def _configured(folder: Path, kind: str, own: str) -> str:
    (folder / "var").mkdir(mode=0o700)
    (folder / "var" / "rules.csv").write_text(RULES)
    return CONFIG.replace("@KIND@", kind) + own


@pytest.fixture(params=["modern", "legacy", "stdio"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """A gateway before an upstream of each era over HTTP, and before a child."""
    upstream = Announcer()
    if request.param == "stdio":
        command = json.dumps([sys.executable, str(Path(announcing.__file__))])
        config = _configured(tmp_path, "mcp_stdio", f"command = {command}")
        async with gateway_under_test(tmp_path, config) as gateway:
            await gateway.serving("up")
            yield World(gateway, upstream)
        return
    async with serving(tmp_path / "notes", only=request.param, server=upstream.server) as served:
        config = _configured(tmp_path, "mcp_http", f'url = "{served.url}"')
        async with gateway_under_test(tmp_path, config) as gateway:
            await gateway.serving("up")
            yield World(gateway, upstream)


@pytest.fixture
async def modern_world(tmp_path: Path) -> AsyncIterator[World]:
    upstream = Announcer()
    async with serving(tmp_path / "notes", only="modern", server=upstream.server) as served:
        config = _configured(tmp_path, "mcp_http", f'url = "{served.url}"')
        async with gateway_under_test(tmp_path, config) as gateway:
            gateway.key("guest", "guest")
            await gateway.parts.keyring.refresh()
            await gateway.serving("up")
            made = World(gateway, upstream)
            await made.attended()
            yield made


async def _next(listen: Subscription) -> Any:
    async with asyncio.timeout(BOUND):
        return await anext(listen)


@pytest.mark.requirement("listens:announcements-arrive-at-once")
async def test_what_an_upstream_adds_is_announced_and_can_be_called(world: World) -> None:
    await world.attended()
    loop = asyncio.get_running_loop()
    async with (
        world.gateway.as_("alice") as client,
        client.listen(tools_list_changed=True) as listen,
    ):
        await client.call_tool("up__grow", {})
        begun = loop.time()
        first = await _next(listen)
        taken = loop.time() - begun
        async with asyncio.timeout(BOUND):
            while "up__grown_3" not in {t.name for t in (await client.list_tools()).tools}:
                await _next(listen)
        result = await client.call_tool("up__grown_3", {})

    assert listen.honored.tools_list_changed is True
    assert (first, result.is_error) == (ToolsListChanged(), False)
    assert taken < SOON


@pytest.mark.requirement("listens:announcements-arrive-at-once")
async def test_an_announcement_is_passed_on_though_nothing_changed(world: World) -> None:
    await world.attended()
    async with (
        world.gateway.as_("alice") as client,
        client.listen(prompts_list_changed=True) as listen,
    ):
        await client.call_tool("up__announce", {})

        assert await _next(listen) == PromptsListChanged()


@pytest.mark.requirement("listens:only-of-what-may-be-read")
async def test_a_resource_is_told_of_to_who_may_read_it_and_asked_for_it(world: World) -> None:
    await world.attended()
    wanted = [NOTE, SECRET, "note://nowhere"]
    async with (
        world.gateway.as_("alice") as client,
        client.listen(resource_subscriptions=wanted) as listen,
        client.listen(tools_list_changed=True, resource_subscriptions=[SECRET]) as other,
    ):
        await client.call_tool("up__touch", {})
        first = await _next(listen)
        await client.call_tool("up__grow", {})
        others = await _next(other)

    assert listen.honored.resource_subscriptions == [NOTE]
    assert other.honored.resource_subscriptions is None
    assert first == ResourceUpdated(uri=NOTE)
    assert others == ToolsListChanged()


@pytest.mark.requirement("listens:acknowledged-first")
@pytest.mark.parametrize("id_", [7, "seven", 'a "quoted" one'])
@pytest.mark.parametrize("accept", ["application/json, text/event-stream", "application/json"])
async def test_the_first_frame_acknowledges_and_every_frame_bears_the_id(
    modern_world: World, id_: Any, accept: str
) -> None:
    gateway = modern_world.gateway
    wanted = {"toolsListChanged": True, "promptsListChanged": False, "x": 1}
    async with (
        gateway.http("alice") as http,
        gateway.as_("alice") as client,
        listening(http, wanted, id_=id_, accept=accept) as listen,
    ):
        acknowledged = await listen.frame()
        await client.call_tool("up__grow", {})
        changed = await listen.frame()
        gateway.parts.standing.close()
        *_, result = await listen.rest()

    assert listen.response.headers["content-type"] == "text/event-stream"
    assert acknowledged == {
        "jsonrpc": "2.0",
        "method": "notifications/subscriptions/acknowledged",
        "params": {"notifications": {"toolsListChanged": True}, "_meta": {SUBSCRIPTION: id_}},
    }
    assert changed["method"] == "notifications/tools/list_changed"
    assert changed["params"]["_meta"] == {SUBSCRIPTION: id_}
    assert (result["id"], result["result"]["resultType"]) == (id_, "complete")
    assert result["result"]["_meta"][SUBSCRIPTION] == id_


@pytest.mark.requirement("listens:policy-changes-are-told")
async def test_rules_that_change_are_told_to_who_sees_another_list_and_nobody_else(
    modern_world: World,
) -> None:
    gateway = modern_world.gateway
    async with (
        gateway.as_("alice") as alice,
        gateway.as_("guest") as guest,
        alice.listen(tools_list_changed=True, resources_list_changed=True) as hers,
        guest.listen(tools_list_changed=True, resources_list_changed=True) as theirs,
    ):
        closed = "p, 3, no-grow, role:user, *, tool/up/grow, *, , deny,\n"
        await modern_world.rules(closed + RULES)
        first = await _next(hers)
        opened = "p, 3, guests, role:guest, *, tool/up/touch, *, , allow,\n"
        await modern_world.rules(closed + opened + RULES)
        other = await _next(theirs)

        assert (first, other) == (ToolsListChanged(), ToolsListChanged())
        assert not hers._route._pending
        assert "up__grow" not in {t.name for t in (await alice.list_tools()).tools}


@pytest.mark.requirement("standing:authorized-again-on-each-swap")
async def test_who_may_listen_no_more_is_told_the_end(modern_world: World) -> None:
    gateway = modern_world.gateway
    async with gateway.http("alice") as http, listening(http, ALL) as listen:
        await listen.frame()
        await modern_world.rules(
            "p, 1, no-listens, role:user, *, subscription/*/*, *, , deny,\n" + RULES
        )
        *_, result = await listen.rest()

    assert result["result"]["resultType"] == "complete"
    assert gateway.outcomes(listens=True)[-1]["ended"] == "revoked"


@pytest.mark.requirement("standing:authenticated-again-on-each-swap")
async def test_a_revoked_callers_listen_ends_within_a_second(modern_world: World) -> None:
    gateway = modern_world.gateway
    loop = asyncio.get_running_loop()
    made = {key.principal.subject: key.id for key in gateway.parts.current.keyring.keys.values()}
    async with (
        gateway.http("alice") as http,
        gateway.http("guest") as others,
        gateway.http("admin") as admin,
        listening(http, ALL) as listen,
        listening(others, ALL) as stays,
    ):
        await listen.frame()
        await stays.frame()
        await admin.post("/admin/keys/revoke", json={"id": made["alice"]})
        revoked = loop.time()
        (result,) = await listen.rest()
        taken = loop.time() - revoked

        assert result["result"]["resultType"] == "complete"
        assert taken < REVOCATION
        assert modern_world.listens() == 1
    failures = gateway.parts.authenticator.failures
    assert failures.take() == 0, "what has ended is no attempt to get in"


@pytest.mark.requirement("listens:recorded")
async def test_hanging_up_is_the_ordinary_end_of_a_listen(modern_world: World) -> None:
    gateway = modern_world.gateway
    async with gateway.http("alice") as http, gateway.as_("alice") as client:
        async with listening(http, {"promptsListChanged": True}) as listen:
            await listen.frame()
            await client.call_tool("up__announce", {})
            await listen.frame()
        await until(lambda: not modern_world.listens())
        await until(lambda: gateway.outcomes(listens=True))
    body = gateway.outcomes(listens=True)[-1]

    assert body["target"] == "subscription/gateway/subscriptions/listen"
    assert (body["outcome"], body["notified"], body["ended"]) == ("ok", 1, "left")


@pytest.mark.requirement("listens:bounded")
async def test_of_one_principal_only_so_many_listens_are_open(modern_world: World) -> None:
    gateway = modern_world.gateway
    async with AsyncExitStack() as stack, gateway.http("alice") as http:
        listens = [await stack.enter_async_context(listening(http, ALL)) for _ in range(3)]
        for listen in listens:
            await listen.frame()
        others = await stack.enter_async_context(gateway.http("guest"))
        async with listening(http, ALL) as refused:
            answer = json.loads(await refused.response.aread())
        async with listening(others, ALL) as allowed:
            acknowledged = await allowed.frame()

    assert refused.response.status_code == 429
    assert "3 listens of yours are open" in answer["error"]["message"]
    assert acknowledged["params"]["notifications"] == ALL


@pytest.mark.requirement("authorize:strangers-learn-nothing")
@pytest.mark.parametrize("server", ["up", "nowhere"])
async def test_a_server_that_must_not_be_known_cannot_be_listened_to(
    modern_world: World, server: str
) -> None:
    gateway = modern_world.gateway
    path = f"/servers/{server}/mcp"
    async with gateway.http("guest") as http, listening(http, ALL, path=path) as listen:
        answer = json.loads(await listen.response.aread())

    assert (listen.response.status_code, answer["error"]) == (
        400,
        {"code": -32602, "message": "no such target"},
    )


@pytest.mark.requirement("cacheable:private-and-short-lived")
@pytest.mark.parametrize("path", ["/mcp", "/servers/up/mcp"])
async def test_what_an_upstream_calls_public_for_a_day_is_private_and_short_lived(
    modern_world: World, path: str
) -> None:
    async with modern_world.gateway.as_("alice", path=path) as client:
        read = await client.read_resource(NOTE)
        tools = await client.list_tools()
        found = await client.session.discover()

    for result in (read, tools, found):
        assert (result.cache_scope, result.ttl_ms) == ("private", 700)
    assert isinstance(read.contents[0], TextResourceContents)
    assert read.contents[0].text == "for a day"


@pytest.mark.requirement("listens:for-sessions-too")
@pytest.mark.filterwarnings("ignore:resources/subscribe is removed")  # and older clients have it
async def test_a_session_is_told_on_its_stream_of_lists_and_of_what_it_subscribed_to(
    world: World,
) -> None:
    await world.attended()
    heard = list[str]()

    async def told(message: Any) -> None:
        root = getattr(message, "root", message)
        heard.append(getattr(root, "method", ""))

    async with world.gateway.as_("alice", mode="legacy", message_handler=told) as client:
        await until(lambda: world.listens() == 1)
        await client.call_tool("up__announce", {})
        await until(lambda: "notifications/prompts/list_changed" in heard)
        await client.session.subscribe_resource(NOTE)
        await client.session.subscribe_resource(SECRET)
        await until(lambda: NOTE in _wanted(world))
        await client.call_tool("up__touch", {})
        await until(lambda: "notifications/resources/updated" in heard)
        secret = SECRET in _wanted(world)
    await until(lambda: not world.listens())

    assert not secret
    listens = world.gateway.outcomes(listens=True)
    assert {(o["outcome"], o["ended"]) for o in listens} == {("ok", "left")}


def _wanted(world: World) -> frozenset[str]:
    attendance = world.gateway.parts.listens.attendance
    interest = attendance._interest("up")
    return interest.uris if interest.settled.is_set() else frozenset()


@pytest.mark.requirement("standing:authenticated-again-on-each-swap")
async def test_a_revoked_callers_get_stream_ends_within_a_second(modern_world: World) -> None:
    gateway = modern_world.gateway
    keys = {key.principal.subject: key.id for key in gateway.parts.current.keyring.keys.values()}
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x"}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
    loop = asyncio.get_running_loop()
    async with gateway.http("alice") as http, gateway.http("admin") as admin:
        begun = await http.post("/mcp", json=message)
        headers = {"mcp-session-id": begun.headers["mcp-session-id"], "accept": "text/event-stream"}
        async with http.stream("GET", "/mcp", headers=headers) as stream:
            await until(lambda: modern_world.listens() == 1)
            await admin.post("/admin/keys/revoke", json={"id": keys["alice"]})
            revoked = loop.time()
            async with asyncio.timeout(BOUND):
                await stream.aread()
            taken = loop.time() - revoked

    assert taken < REVOCATION
    await until(lambda: not modern_world.listens())
