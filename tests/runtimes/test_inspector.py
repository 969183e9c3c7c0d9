"""The MCP Inspector's command line, unmodified, lists, calls and is refused, in both eras."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.gateway import GatewayUnderTest, gateway_under_test
from tests.support.runtimes.inspector import Inspector

ERAS = pytest.mark.parametrize("era", ["legacy", "modern"])
REFUSED = 5
CONFIG = """
[policy]
rules = ["asked-first.csv", "builtin:first-run"]

[limits]
principal = { "tool/orders/create_order" = "2/minute" }

@SERVERS@
"""
RULES = """
p, 5, refunds-are-asked-for, role:user, *, tool/orders/refund_order, *, , deny, approval:desk
p, 5, no-greetings,          role:user, *, prompt/everything/greet,  *, , deny,
"""


@pytest.fixture(scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayUnderTest]:
    folder = tmp_path_factory.mktemp("gateway")
    (folder / "var").mkdir(mode=0o700)
    (folder / "var" / "asked-first.csv").write_text(RULES, "utf-8")
    async with gateway_under_test(folder, CONFIG) as running:
        await running.serving("orders", "time", "everything")
        yield running


def _inspector(
    gateway: GatewayUnderTest, home: Path, subject: str, era: str, path: str = "/mcp"
) -> Inspector:
    return Inspector.at(home, gateway.url + path, gateway.keys[subject], era)


@pytest.mark.parametrize("era", ["legacy", "auto", "modern"])
@pytest.mark.requirement("runtimes:inspector")
async def test_the_inspector_lists_and_calls_tools_of_every_upstream(
    gateway: GatewayUnderTest, tmp_path: Path, era: str
) -> None:
    inspector = _inspector(gateway, tmp_path, "alice", era)

    listed = await inspector.ask("tools/list", "--strict")
    _, orders = await inspector.call("orders__list_orders")
    _, over_stdio = await inspector.call("time__echo", text="one")
    _, over_http = await inspector.call("everything__echo", text="two")

    names = {tool["name"] for tool in listed["tools"]}
    assert {"orders__list_orders", "time__echo", "everything__echo", "gateway__whoami"} <= names
    assert orders["structuredContent"]["orders"][0]["customer"] == "Ada"
    assert over_stdio["content"][0]["text"] == "one"
    assert over_http["content"][0]["text"] == "two"


@ERAS
@pytest.mark.requirement("runtimes:inspector")
async def test_the_inspector_reads_resources_and_prompts(
    gateway: GatewayUnderTest, tmp_path: Path, era: str
) -> None:
    inspector = _inspector(gateway, tmp_path, "alice", era)
    one = _inspector(gateway, tmp_path, "alice", era, "/servers/everything/mcp")

    note = await one.ask("resources/read", "--uri", "note://today")
    skill = await inspector.ask("resources/read", "--uri", "skill://request-access/SKILL.md")
    prompt = await inspector.ask("prompts/get", "--prompt-name", "gateway__request-access")

    assert note["contents"][0]["text"] == "note today"
    assert "name: request-access" in skill["contents"][0]["text"]
    assert prompt["messages"][0]["role"] == "user"


@ERAS
@pytest.mark.requirement("runtimes:inspector-sees-why")
async def test_a_denied_tool_is_shown_with_its_rule(
    gateway: GatewayUnderTest, tmp_path: Path, era: str
) -> None:
    inspector = _inspector(gateway, tmp_path, "alice", era)

    ran, denied = await inspector.call("orders__refund_order", id="1002")

    assert (ran.code, denied["isError"]) == (REFUSED, True)
    assert "Rule: refunds-are-asked-for." in denied["content"][0]["text"]
    assert "Do not retry" in denied["content"][0]["text"]


@ERAS
@pytest.mark.requirement("runtimes:inspector-sees-why")
async def test_a_denied_prompt_is_shown_with_its_rule(
    gateway: GatewayUnderTest, tmp_path: Path, era: str
) -> None:
    inspector = _inspector(gateway, tmp_path, "alice", era)

    denied = await inspector.run("prompts/get", "--prompt-name", "everything__greet")

    assert denied.code == 1
    assert "Rule: no-greetings." in denied.err


@ERAS
@pytest.mark.requirement("runtimes:inspector-sees-why")
async def test_over_a_limit_it_is_shown_when_to_try_again(
    gateway: GatewayUnderTest, tmp_path: Path, era: str
) -> None:
    gateway.key(f"busy-{era}", "user")
    await gateway.parts.keyring.refresh()
    inspector = _inspector(gateway, tmp_path, f"busy-{era}", era)
    order = {"customer": "Ada", "item": "cup", "quantity": 1}

    made = [await inspector.call("orders__create_order", **order) for _ in range(3)]

    assert [ran.code for ran, _ in made] == [0, 0, REFUSED]
    assert "Try again in" in made[2][1]["content"][0]["text"]


@ERAS
@pytest.mark.requirement("runtimes:inspector-sees-why")
async def test_to_a_stranger_what_exists_is_shown_like_what_does_not(
    gateway: GatewayUnderTest, tmp_path: Path, era: str
) -> None:
    inspector = _inspector(gateway, tmp_path, "stranger", era)

    said = []
    for name in ("everything__greet", "everything__nothing"):
        hidden = await inspector.run("prompts/get", "--prompt-name", name)
        said.append((hidden.code, hidden.out, hidden.err.replace(name, "NAME")))

    assert said[0][0] == 1
    assert said[0] == said[1]
