"""What upstreams ask of clients of the initialize era, through the whole gateway."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import mcp_types as types
import pytest
from mcp.client import Client
from mcp.shared.exceptions import MCPError

from tests.support.gateway import BOUND
from tests.support.one_upstream import (
    World,
    asked_everything,
    named,
    one_upstream,
    sampled,
    text,
)


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with one_upstream(tmp_path_factory.mktemp("sessions")) as found:
        yield found


async def never(_: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
    await asyncio.Event().wait()
    raise AssertionError


def begun(world: World, **callbacks: Any) -> AbstractAsyncContextManager[Client]:
    """The SDK's own client of the initialize era, with what answers questions."""
    return world.gateway.as_("alice", "legacy", **callbacks)


@pytest.mark.requirement("edge:clients-are-asked")
async def test_a_question_of_a_later_upstream_is_asked_and_each_answer_is_a_call(
    world: World,
) -> None:
    async with begun(world, elicitation_callback=named) as client:
        arguments = {"kinds": ["elicitation"], "rounds": 2}
        result = await client.call_tool("everything__ask", arguments)

    assert text(result) == "the elicitation: accept Ada"
    one, two, three = world.entries("intent")[-3:]
    asked = world.entries("asked")[-2:]
    assert [two["parent"], three["parent"]] == [one["call"], two["call"]]
    assert [question["parent"] for question in asked] == [one["call"], two["call"]]
    assert {question["rule"] for question in asked} == {"everyone-is-asked"}
    outcomes = [line["outcome"] for line in world.entries("outcome")[-3:]]
    assert outcomes == ["input_required", "input_required", "ok"]


@pytest.mark.requirement("edge:clients-are-asked")
async def test_who_may_be_asked_everything_is_asked_all_at_once(world: World) -> None:
    result = await asked_everything(world, "legacy")

    assert "accept Ada" in result
    assert "file:///work" in result
    assert "sampled" in result


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
    first, second = world.entries("intent")[-2:]
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
