"""What upstreams ask of clients of the initialize era, through the whole gateway."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import mcp_types as types
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from tests.support.gateway import BOUND, GatewayUnderTest, gateway_under_test
from tests.support.sdk_upstream import Upstream, serving

CONFIG: Final = """
[policy]
rules = ["builtin:first-run"]

[servers.everything]
connector = "mcp_http"
url = "@URL@"
"""


@dataclass
class World:
    gateway: GatewayUnderTest
    upstream: Upstream


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("sessions")
    async with (
        serving(folder / "notes", only="modern") as upstream,
        gateway_under_test(folder, CONFIG.replace("@URL@", upstream.url)) as gateway,
    ):
        await gateway.serving("everything")
        yield World(gateway, upstream)


async def named(_: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
    return types.ElicitResult(action="accept", content={"name": "Ada"})


async def never(_: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
    await asyncio.Event().wait()
    raise AssertionError


async def rooted(_: Any) -> types.ListRootsResult:
    return types.ListRootsResult(roots=[types.Root(uri="file:///work")])


async def sampled(_: Any, params: Any) -> types.CreateMessageResult:
    content = types.TextContent(type="text", text="sampled")
    return types.CreateMessageResult(role="assistant", content=content, model="m")


@asynccontextmanager
async def begun(world: World, subject: str = "alice", **callbacks: Any) -> AsyncIterator[Client]:
    """The SDK's own client of the initialize era, with what answers questions."""
    async with world.gateway.http(subject) as http:
        transport = streamable_http_client(world.gateway.url + "/mcp", http_client=http)
        async with Client(transport, mode="legacy", **callbacks) as client:
            yield client


def entries(world: World, kind: str) -> list[Any]:
    lines = [line for line in world.gateway.entries() if line["kind"] == kind]
    beside = ("tools/list", "subscriptions/listen")
    return [line for line in lines if line["method"] not in beside]


def text(result: Any) -> str:
    return str(result.content[0].text)


@pytest.mark.requirement("edge:clients-are-asked")
async def test_a_question_of_a_later_upstream_is_asked_and_each_answer_is_a_call(
    world: World,
) -> None:
    async with begun(world, elicitation_callback=named) as client:
        arguments = {"kinds": ["elicitation"], "rounds": 2}
        result = await client.call_tool("everything__ask", arguments)

    assert text(result) == "the elicitation: accept Ada"
    one, two, three = entries(world, "intent")[-3:]
    asked = entries(world, "asked")[-2:]
    assert [two["parent"], three["parent"]] == [one["call"], two["call"]]
    assert [question["parent"] for question in asked] == [one["call"], two["call"]]
    assert {question["rule"] for question in asked} == {"everyone-is-asked"}
    outcomes = [line["outcome"] for line in entries(world, "outcome")[-3:]]
    assert outcomes == ["input_required", "input_required", "ok"]


@pytest.mark.requirement("edge:clients-are-asked")
async def test_who_may_be_asked_everything_is_asked_all_at_once(world: World) -> None:
    callbacks = {
        "elicitation_callback": named,
        "sampling_callback": sampled,
        "list_roots_callback": rooted,
    }
    async with begun(world, "admin", **callbacks) as client:
        arguments = {"kinds": ["elicitation", "sampling", "roots"]}
        result = await client.call_tool("everything__ask", arguments)

    assert "accept Ada" in text(result)
    assert "file:///work" in text(result)
    assert "sampled" in text(result)


@pytest.mark.requirement("questions:need-an-allow")
async def test_what_no_rule_allows_is_not_asked_of_a_session_either(world: World) -> None:
    async with begun(world, elicitation_callback=named, sampling_callback=sampled) as client:
        result = await client.call_tool("everything__ask", {"kinds": ["sampling"]})

    assert result.is_error
    assert "nobody-samples" in text(result)


@pytest.mark.requirement("edge:clients-are-asked")
async def test_many_sessions_at_once_are_each_asked_their_own(world: World) -> None:
    async def asked(name: str) -> str:
        async def answer(_: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
            return types.ElicitResult(action="accept", content={"name": name})

        async with begun(world, elicitation_callback=answer) as client:
            arguments = {"kinds": ["elicitation"], "rounds": 3}
            return text(await client.call_tool("everything__ask", arguments))

    names = [f"client {number}" for number in range(8)]

    said = await asyncio.gather(*map(asked, names))

    assert said == [f"the elicitation: accept {name}" for name in names]


@pytest.mark.requirement("edge:addresses-to-open")
async def test_an_address_to_open_is_an_error_and_the_call_again_goes_through(
    world: World,
) -> None:
    async with begun(world, elicitation_callback=named) as client:
        with pytest.raises(MCPError) as told:
            await client.call_tool("everything__ask", {"kinds": ["page"]})
        result = await client.call_tool("everything__ask", {"kinds": ["page"]})

    (link,) = told.value.error.data["elicitations"]
    assert told.value.error.code == -32042
    assert (link["mode"], link["url"]) == ("url", "https://example.com/login")
    assert text(result) == "the page: accept None"
    first, second = entries(world, "intent")[-2:]
    assert second["parent"] == first["call"]


@pytest.mark.requirement("edge:cancelled-is-answered")
async def test_a_client_that_ends_while_it_is_asked_leaves_no_session_and_no_call(
    world: World,
) -> None:
    async with begun(world, elicitation_callback=never) as client:
        with pytest.raises(MCPError):
            await client.call_tool(
                "everything__ask", {"kinds": ["elicitation"]}, read_timeout_seconds=0.5
            )
    before = len(world.gateway.parts.parking)

    sessions = world.gateway.parts.sessions
    async with asyncio.timeout(BOUND):
        while any(session.running for session in sessions._open.values()):
            await asyncio.sleep(0.02)
    assert (before, len(world.gateway.parts.parking)) == (0, 0)
