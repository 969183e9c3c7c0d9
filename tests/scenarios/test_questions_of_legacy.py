"""What upstreams of the initialize era ask of a client of today, through the whole gateway."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest

from tests.support.gateway import GatewayUnderTest, gateway_under_test
from tests.support.one_upstream import named, posted, rooted, text
from tests.support.sdk_upstream import command, serving

CONFIG = """
[policy]
rules = ["@RULES@"]

[servers.http]
connector = "mcp_http"
url = "@HTTP@"

[servers.sse]
connector = "mcp_sse"
url = "@SSE@"

[servers.pipe]
connector = "mcp_stdio"
command = @COMMAND@
"""
RULES = """
p, 1, lists,     role:user, *, catalog/*/*, *,                      , allow,
p, 2, no-models, role:user, *, */*/*,       sampling/createMessage, , deny,
p, 3, tools,     role:user, *, tool/*/*,    tools/call,             , allow,
p, 3, asked,     role:user, *, */*/*,       elicitation/create,     , allow,
p, 3, roots,     role:user, *, */*/*,       roots/list,             , allow,
"""
SERVERS = pytest.mark.parametrize("server", ["http", "sse", "pipe"])


@dataclass
class World:
    gateway: GatewayUnderTest
    notes: Path


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("legacy")
    notes = folder / "notes"
    async with (
        serving(notes, only="legacy") as http,
        serving(folder / "sse", sse=True) as sse,
    ):
        (folder / "rules.csv").write_text(RULES, "utf-8")
        config = (
            CONFIG.replace("@RULES@", str(folder / "rules.csv"))
            .replace("@HTTP@", http.url)
            .replace("@SSE@", sse.url)
        )
        config = config.replace("@COMMAND@", json.dumps(command(folder / "pipe")))
        async with gateway_under_test(folder, config) as gateway:
            for name in ("http", "sse", "pipe"):
                await gateway.serving(name)
            yield World(gateway, notes)


@SERVERS
@pytest.mark.requirement("questions:either-era-every-transport")
async def test_a_client_of_today_answers_what_an_older_upstream_asks(
    world: World, server: str
) -> None:
    callbacks: dict[str, Any] = {"elicitation_callback": named, "list_roots_callback": rooted}
    async with world.gateway.as_("alice", **callbacks) as client:
        arguments = {"kinds": ["elicitation", "roots"], "rounds": 2}
        result = await client.call_tool(f"{server}__ask", arguments)

    assert text(result) == "the elicitation: accept Ada, the roots: file:///work"
    entries = world.gateway.entries()
    questions = [line for line in entries if line["kind"] == "asked"][-4:]
    assert [line["key"] for line in questions] == [
        "elicitation-1",
        "roots-2",
        "elicitation-3",
        "roots-4",
    ]
    assert {line["target"] for line in questions} == {f"tool/{server}/ask"}


@SERVERS
@pytest.mark.requirement("questions:need-an-allow")
async def test_a_question_that_no_rule_allows_is_not_asked_and_the_upstream_is_told(
    world: World, server: str
) -> None:
    async def sampled(_: Any, params: Any) -> types.CreateMessageResult:
        raise AssertionError("nobody's model is used")

    async with world.gateway.as_("alice", sampling_callback=sampled) as client:
        result = await client.call_tool(f"{server}__ask", {"kinds": ["sampling"]})

    assert result.is_error
    assert "may not ask you for sampling" in text(result)


async def test_an_address_of_an_older_upstream_is_visited_and_the_call_made_again(
    world: World,
) -> None:
    async with world.gateway.as_("alice", elicitation_callback=named) as client:
        result = await client.call_tool("http__visit", {})

    assert text(result) == "connected"
    assert world.notes.read_text().splitlines().count("called visit") == 2


async def test_a_question_that_nobody_may_answer_twice_is_answered_once(world: World) -> None:
    params = {"name": "http__ask", "arguments": {"kinds": ["elicitation"]}}
    answer = {"elicitation-1": {"action": "accept", "content": {"name": "Ada"}}}
    first = (await _called(world, params))["result"]
    state = first["requestState"]

    again = {**params, "inputResponses": answer, "requestState": state}
    done = await _called(world, again)
    twice = await _called(world, again)

    assert done["result"]["content"][0]["text"] == "the elicitation: accept Ada"
    refused = twice.get("error") or twice["result"]["content"][0]["text"]
    assert "expired" in str(refused)


async def _called(world: World, params: dict[str, Any]) -> Any:
    return (await posted(world.gateway, params, able={"elicitation": {}})).json()
