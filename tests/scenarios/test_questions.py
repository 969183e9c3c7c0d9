"""What upstreams ask, through the whole gateway: real edge, chain, upstream and client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import mcp_types as types
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from mcp_gateway.wire import modern
from tests.support.gateway import GatewayUnderTest, gateway_under_test
from tests.support.sdk_upstream import Upstream, serving

CONFIG = """
[policy]
rules = ["builtin:first-run"]

[limits]
principal = { "tool/everything/*" = "20/hour" }

[servers.everything]
connector = "mcp_http"
url = "@URL@"
"""

MOST = 20
"""Calls that the limit lets pass."""


@dataclass
class World:
    gateway: GatewayUnderTest
    upstream: Upstream


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("questions")
    async with (
        serving(folder / "notes", only="modern") as upstream,
        gateway_under_test(folder, CONFIG.replace("@URL@", upstream.url)) as gateway,
    ):
        await gateway.serving("everything")
        yield World(gateway, upstream)


ASK = {"name": "everything__ask", "arguments": {"kinds": ["elicitation"]}}
ACCEPT = {"the elicitation": {"action": "accept", "content": {"name": "Ada"}}}


async def posted(world: World, subject: str = "alice", **params: Any) -> Any:
    """A 2026-07-28 call as raw as a runtime could send it."""
    params = {**ASK, **params}
    headers = {
        "mcp-protocol-version": modern.REVISION,
        "mcp-method": "tools/call",
        "mcp-name": params["name"],
        "accept": "application/json, text/event-stream",
    }
    meta = {modern.META_VERSION: modern.REVISION, modern.META_CAPABILITIES: {"elicitation": {}}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {**params, "_meta": meta}}
    async with world.gateway.http(subject) as http:
        return await http.post("/mcp", json=body, headers=headers)


async def named(_: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
    assert params.message == "Who are you?"
    return types.ElicitResult(action="accept", content={"name": "Ada"})


async def rooted(_: Any) -> types.ListRootsResult:
    return types.ListRootsResult(roots=[types.Root(uri="file:///work")])


async def sampled(_: Any, params: Any) -> types.CreateMessageResult:
    content = types.TextContent(type="text", text="sampled")
    return types.CreateMessageResult(role="assistant", content=content, model="m")


@asynccontextmanager
async def asked(world: World, subject: str = "alice", **callbacks: Any) -> AsyncIterator[Client]:
    """The SDK's own client of 2026-07-28, with what answers questions."""
    gateway = world.gateway
    async with gateway.http(subject) as http:
        transport = streamable_http_client(gateway.url + "/mcp", http_client=http)
        async with Client(transport, mode="auto", **callbacks) as client:
            yield client


def entries(world: World, kind: str) -> list[Any]:
    """Without the listings, for which the SDK's client asks of its own accord."""
    lines = [line for line in world.gateway.entries() if line["kind"] == kind]
    beside = ("tools/list", "subscriptions/listen")
    return [line for line in lines if line["method"] not in beside]


def text(result: Any) -> str:
    return str(result.content[0].text)


@pytest.mark.requirement("questions:modern-to-modern")
async def test_a_question_goes_through_the_gateway_and_so_does_its_answer(world: World) -> None:
    async with asked(world, elicitation_callback=named) as client:
        result = await client.call_tool("everything__ask", {"kinds": ["elicitation"]})

    assert text(result) == "the elicitation: accept Ada"
    question = entries(world, "asked")[-1]
    first, retry = entries(world, "intent")[-2:]
    assert question["parent"] == first["call"] == retry["parent"]
    assert question["call"] == f"{first['call']}.1"
    assert (question["method"], question["rule"]) == ("elicitation/create", "everyone-is-asked")
    assert (question["key"], question["target"]) == ("the elicitation", "tool/everything/ask")
    outcomes = {line["call"]: line["outcome"] for line in entries(world, "outcome")}
    assert (outcomes[first["call"]], outcomes[retry["call"]]) == ("input_required", "ok")


@pytest.mark.requirement("questions:modern-to-modern")
async def test_several_rounds_each_bring_the_state_of_the_round_before(world: World) -> None:
    async with asked(world, elicitation_callback=named) as client:
        arguments = {"kinds": ["elicitation"], "rounds": 4}
        result = await client.call_tool("everything__ask", arguments)

    assert text(result) == "the elicitation: accept Ada"


@pytest.mark.requirement("questions:need-an-allow")
async def test_a_question_that_no_rule_allows_ends_its_call(world: World) -> None:
    async with asked(world, elicitation_callback=named, sampling_callback=sampled) as client:
        arguments = {"kinds": ["elicitation", "sampling"]}
        result = await client.call_tool("everything__ask", arguments)

    assert result.is_error
    assert "everything may not ask you for sampling" in text(result)
    assert "nobody-samples" in text(result)
    allowed, denied = entries(world, "asked")[-2:]
    assert (allowed["effect"], denied["effect"]) == ("allow", "deny")
    assert denied["rule"] == "nobody-samples"
    assert entries(world, "outcome")[-1]["outcome"] == "forbidden"


@pytest.mark.requirement("questions:need-an-allow")
async def test_who_is_allowed_everything_is_asked_everything(world: World) -> None:
    callbacks = {
        "elicitation_callback": named,
        "sampling_callback": sampled,
        "list_roots_callback": rooted,
    }
    async with asked(world, "admin", **callbacks) as client:
        arguments = {"kinds": ["elicitation", "sampling", "roots"]}
        result = await client.call_tool("everything__ask", arguments)

    assert "accept Ada" in text(result)
    assert "file:///work" in text(result)
    assert "sampled" in text(result)


@pytest.mark.requirement("questions:need-a-capability")
async def test_a_client_is_asked_nothing_that_it_did_not_declare(world: World) -> None:
    async with asked(world) as client:
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
    return str((await posted(world)).json()["result"]["requestState"])


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
        await posted(world, "admin", requestState=state, inputResponses=ACCEPT),
        await posted(world, requestState=state, inputResponses=ACCEPT, arguments=other),
        await posted(world, requestState=state, inputResponses=ACCEPT, name="everything__echo"),
        await posted(world, requestState=state + "=", inputResponses=ACCEPT),
        await posted(world, requestState="made up", inputResponses=ACCEPT),
        await posted(world, requestState=None, inputResponses=ACCEPT),
        *[await posted(world, requestState=_turned(state, at)) for at in (0, 20, len(state) - 1)],
    ]

    assert {(each.status_code, each.json()["error"]["code"]) for each in refused} == {(400, -32602)}
    assert len({each.json()["error"]["message"].partition(" Call: ")[0] for each in refused}) == 1
    assert len(world.upstream.heads) == sent
    assert entries(world, "outcome")[-1]["outcome"] == "invalid_state"


@pytest.mark.requirement("handles:charged-once")
async def test_answers_are_charged_nothing_and_what_comes_again_is(world: World) -> None:
    world.gateway.key("carol", "user")
    await world.gateway.parts.keyring.refresh()
    first = (await posted(world, "carol")).json()["result"]["requestState"]
    answers = [
        (await posted(world, "carol", requestState=first, inputResponses=ACCEPT)).json()["result"]
        for _ in range(MOST + 1)
    ]

    words = [answer["content"][0]["text"] for answer in answers]
    assert words[:MOST] == ["the elicitation: accept Ada"] * MOST
    assert "over the limit" in words[MOST]
