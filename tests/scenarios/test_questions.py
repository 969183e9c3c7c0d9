"""What upstreams ask, through the whole gateway: real edge, chain, upstream and client."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from mcp.shared.exceptions import MCPError

from mcp_gateway.wire import modern
from tests.support.one_upstream import (
    World,
    asked_everything,
    named,
    one_upstream,
    posted,
    sampled,
    text,
)

LIMITS = """
[limits]
principal = { "tool/everything/*" = "20/hour" }
"""

MOST = 20
"""Calls that the limit lets pass."""


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with one_upstream(tmp_path_factory.mktemp("questions"), LIMITS) as found:
        yield found


ASK = {"name": "everything__ask", "arguments": {"kinds": ["elicitation"]}}
ACCEPT = {"the elicitation": {"action": "accept", "content": {"name": "Ada"}}}


async def called(world: World, subject: str = "alice", **params: Any) -> httpx2.Response:
    """The call again with this, of a client that can be asked."""
    able: dict[str, Any] = {"elicitation": {}}
    return await posted(world.gateway, {**ASK, **params}, subject=subject, able=able)


@pytest.mark.requirement("questions:modern-to-modern")
async def test_a_question_goes_through_the_gateway_and_so_does_its_answer(world: World) -> None:
    async with world.gateway.as_("alice", elicitation_callback=named) as client:
        result = await client.call_tool("everything__ask", {"kinds": ["elicitation"]})

    assert text(result) == "the elicitation: accept Ada"
    question = world.entries("asked")[-1]
    first, retry = world.entries("intent")[-2:]
    assert question["parent"] == first["call"] == retry["parent"]
    assert question["call"] == f"{first['call']}.1"
    assert (question["method"], question["rule"]) == ("elicitation/create", "everyone-is-asked")
    assert (question["key"], question["target"]) == ("the elicitation", "tool/everything/ask")
    outcomes = {line["call"]: line["outcome"] for line in world.entries("outcome")}
    assert (outcomes[first["call"]], outcomes[retry["call"]]) == ("input_required", "ok")


@pytest.mark.requirement("questions:modern-to-modern")
async def test_several_rounds_each_bring_the_state_of_the_round_before(world: World) -> None:
    async with world.gateway.as_("alice", elicitation_callback=named) as client:
        arguments = {"kinds": ["elicitation"], "rounds": 4}
        result = await client.call_tool("everything__ask", arguments)

    assert text(result) == "the elicitation: accept Ada"


@pytest.mark.requirement("questions:need-an-allow")
async def test_a_question_that_no_rule_allows_ends_its_call(world: World) -> None:
    async with world.gateway.as_(
        "alice", elicitation_callback=named, sampling_callback=sampled
    ) as client:
        arguments = {"kinds": ["elicitation", "sampling"]}
        result = await client.call_tool("everything__ask", arguments)

    assert result.is_error
    assert "everything may not ask you for sampling" in text(result)
    assert "nobody-samples" in text(result)
    allowed, denied = world.entries("asked")[-2:]
    assert (allowed["effect"], denied["effect"]) == ("allow", "deny")
    assert denied["rule"] == "nobody-samples"
    assert world.entries("outcome")[-1]["outcome"] == "forbidden"


@pytest.mark.requirement("questions:need-an-allow")
async def test_who_is_allowed_everything_is_asked_everything(world: World) -> None:
    result = await asked_everything(world, "auto")

    assert "accept Ada" in result
    assert "file:///work" in result
    assert "sampled" in result


@pytest.mark.requirement("questions:need-a-capability")
async def test_a_client_is_asked_nothing_that_it_did_not_declare(world: World) -> None:
    async with world.gateway.as_("alice") as client:
        with pytest.raises(MCPError) as refused:
            await client.call_tool("everything__ask", {"kinds": ["elicitation"]})

    assert refused.value.error.code == modern.MISSING_CAPABILITY
    assert refused.value.error.data["requiredCapabilities"] == {"elicitation": {"form": {}}}


@pytest.mark.requirement("questions:not-to-older-callers")
async def test_a_caller_of_the_initialize_era_that_declared_nothing_is_asked_nothing(
    world: World,
) -> None:
    async with world.gateway.as_("alice", "legacy") as client:
        with pytest.raises(MCPError) as refused:
            await client.call_tool("everything__ask", {"kinds": ["elicitation"]})

    assert refused.value.error.code == modern.MISSING_CAPABILITY


async def _state(world: World) -> str:
    return str((await called(world)).json()["result"]["requestState"])


def _turned(state: str, at: int) -> str:
    return f"{state[:at]}{'A' if state[at] != 'A' else 'B'}{state[at + 1 :]}"


@pytest.mark.requirement("handles:bound-to-caller-and-request")
@pytest.mark.requirement("handles:one-wording")
async def test_a_state_that_is_not_this_callers_for_this_request_is_refused_alike(
    world: World,
) -> None:
    state = await _state(world)
    sent = len(world.upstream.heads)
    other = {"kinds": ["elicitation"], "rounds": 1}

    refused = [
        await called(world, "admin", requestState=state, inputResponses=ACCEPT),
        await called(world, requestState=state, inputResponses=ACCEPT, arguments=other),
        await called(world, requestState=state, inputResponses=ACCEPT, name="everything__echo"),
        await called(world, requestState=state + "=", inputResponses=ACCEPT),
        await called(world, requestState="made up", inputResponses=ACCEPT),
        await called(world, requestState=None, inputResponses=ACCEPT),
        *[await called(world, requestState=_turned(state, at)) for at in (0, 20, len(state) - 1)],
    ]

    assert {(each.status_code, each.json()["error"]["code"]) for each in refused} == {(400, -32602)}
    assert len({each.json()["error"]["message"].partition(" Call: ")[0] for each in refused}) == 1
    assert len(world.upstream.heads) == sent
    assert world.entries("outcome")[-1]["outcome"] == "invalid_state"


@pytest.mark.requirement("handles:charged-once")
async def test_answers_are_charged_nothing_and_what_comes_again_is(world: World) -> None:
    world.gateway.key("carol", "user")
    await world.gateway.parts.keyring.refresh()
    first = (await called(world, "carol")).json()["result"]["requestState"]
    answers = [
        (await called(world, "carol", requestState=first, inputResponses=ACCEPT)).json()["result"]
        for _ in range(MOST + 1)
    ]

    words = [answer["content"][0]["text"] for answer in answers]
    assert words[:MOST] == ["the elicitation: accept Ada"] * MOST
    assert "over the limit" in words[MOST]
