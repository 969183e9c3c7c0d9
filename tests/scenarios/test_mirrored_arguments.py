"""Arguments that a request repeats in its headers: checked coming in, made anew going out."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from mcp_gateway.wire import modern
from tests.support.one_upstream import World, one_upstream, posted, text

ARGUMENTS = {"region": "zürich", "count": 42, "text": "here"}


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with one_upstream(tmp_path_factory.mktemp("mirrors")) as found:
        yield found


async def _called(
    world: World,
    *pairs: tuple[str, str],
    subject: str = "alice",
    name: str = "everything__route",
) -> httpx2.Response:
    params = {"name": name, "arguments": ARGUMENTS}
    return await posted(world.gateway, params, *pairs, subject=subject)


REGION = ("Mcp-Param-Region", modern.encode_header("zürich"))
COUNT = ("MCP-PARAM-COUNT", "42.0")


@pytest.mark.requirement("mirrors:headers-and-arguments-agree")
async def test_headers_that_repeat_the_arguments_pass_and_are_made_anew_for_the_upstream(
    world: World,
) -> None:
    answer = await _called(world, REGION, COUNT, ("Mcp-Param-Other", "smuggled"))

    sent = world.upstream.heads[-1]
    assert answer.json()["result"]["content"][0]["text"] == "here"
    assert sent["mcp-param-region"] == "=?base64?esO8cmljaA==?="
    assert sent["mcp-param-count"] == "42"
    assert sent["mcp-name"] == "route"
    assert "mcp-param-other" not in sent


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.requirement("mirrors:headers-and-arguments-agree")
async def test_the_official_client_of_either_era_calls_a_tool_with_mirrored_arguments(
    world: World, mode: str
) -> None:
    async with world.gateway.as_("alice", mode) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        result = await client.call_tool("everything__route", {**ARGUMENTS, "count": None})

    assert "everything__route" in names
    assert text(result) == "here"
    assert world.upstream.heads[-1]["mcp-param-region"] == "=?base64?esO8cmljaA==?="
    assert "mcp-param-count" not in world.upstream.heads[-1]


@pytest.mark.parametrize(
    ("pairs", "why"),
    [
        ([], "is missing"),
        ([REGION], "is missing"),
        ([REGION, ("mcp-param-count", "41")], "differ"),
        ([("mcp-param-region", "zürich"), COUNT], "characters that no header has"),
        ([REGION, COUNT, ("mcp-param-region", REGION[1])], "stands twice"),
        ([("mcp-param-region", "=?base64?broken?="), COUNT], "broken"),
    ],
)
@pytest.mark.requirement("mirrors:headers-and-arguments-agree")
async def test_headers_that_do_not_are_400_and_never_reach_the_upstream(
    world: World, pairs: list[tuple[str, str]], why: str
) -> None:
    before = len(world.upstream.heads)

    answer = await _called(world, *pairs)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == modern.HEADER_MISMATCH
    assert why in answer.json()["error"]["message"]
    assert len(world.upstream.heads) == before
    outcome = world.gateway.outcomes()[-1]
    assert (outcome["outcome"], outcome["target"]) == ("header_mismatch", "tool/everything/route")


@pytest.mark.requirement("authorize:strangers-learn-nothing")
async def test_a_stranger_is_not_asked_for_headers_that_would_show_that_the_tool_exists(
    world: World,
) -> None:
    hidden = await _called(world, subject="stranger")
    unknown = await _called(world, subject="stranger", name="everything__rouge")

    assert hidden.status_code == unknown.status_code == 400
    assert hidden.text.replace("route", "NAME") == unknown.text.replace("rouge", "NAME")


@pytest.mark.requirement("mirrors:invalid-annotations-hide-the-tool")
async def test_a_tool_that_clients_must_reject_is_not_listed_and_its_reason_is_told(
    world: World,
) -> None:
    async with world.gateway.as_("alice") as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
    async with world.gateway.http("admin") as http:
        servers = (await http.get("/admin/servers")).json()

    assert "everything__crooked" not in names
    assert "x-mcp-header" in servers[0]["held"]["tool/everything/crooked"]


async def test_what_clients_must_reject_cannot_be_accepted_by_an_administrator(
    world: World,
) -> None:
    async with world.gateway.http("admin") as http:
        answer = await http.post("/admin/servers/accept", json={"server": "everything"})

    assert answer.status_code == 400
    assert "nothing" in answer.text
