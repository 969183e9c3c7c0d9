"""The governed call, end to end: real edge, real chain, real upstreams, the SDK's own client."""

import asyncio
import json
from typing import Any

import anyio
import pytest
from mcp.client import Client
from mcp.shared.exceptions import MCPError

from mcp_gateway.edge.refusals import RECEIPT
from mcp_gateway.ledger.verify import verify
from tests.support.gateway import GatewayUnderTest

ERAS = pytest.mark.parametrize("mode", ["auto", "legacy"])


def _text(result: Any) -> str:
    return str(result.content[0].text)


@ERAS
@pytest.mark.requirement("edge:both-eras")
async def test_tools_of_every_upstream_are_listed_and_called_in_both_eras(
    gateway: GatewayUnderTest, mode: str
) -> None:
    async with gateway.as_("alice", mode) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        orders = await client.call_tool("orders__list_orders", {})
        over_stdio = await client.call_tool("time__echo", {"text": "one"})
        over_http = await client.call_tool("everything__echo", {"text": "two"})

    assert {"orders__list_orders", "time__echo", "everything__echo", "gateway__whoami"} <= names
    assert json.loads(_text(orders))["orders"][0]["customer"] == "Ada"
    assert (_text(over_stdio), _text(over_http)) == ("one", "two")


@ERAS
@pytest.mark.requirement("authorize:denied-call-stays-inside")
async def test_a_denied_call_is_a_result_that_says_why_and_never_reaches_its_upstream(
    gateway: GatewayUnderTest, mode: str
) -> None:
    async with gateway.as_("alice", mode) as client:
        denied = await client.call_tool("orders__refund_order", {"id": "1002"})
        order = await client.call_tool("orders__get_order", {"id": "1002"})

    assert denied.is_error
    assert "no-refunds" in _text(denied)
    assert "Do not retry" in _text(denied)
    assert json.loads(_text(order))["state"] == "open"
    last = [line for line in gateway.outcomes() if line.get("rule") == "no-refunds"][-1]
    assert last["outcome"] == "forbidden"
    assert last["call"] in _text(denied)
    assert "intent" not in last


@ERAS
@pytest.mark.requirement("authorize:strangers-learn-nothing")
async def test_to_a_stranger_a_tool_that_exists_is_like_one_that_does_not(
    gateway: GatewayUnderTest, mode: str
) -> None:
    said = []
    async with gateway.as_("stranger", mode) as client:
        for name in ("orders__list_orders", "orders__nothing_of_this_kind"):
            with pytest.raises(MCPError) as refused:
                await client.call_tool(name, {})
            said.append(str(refused.value).replace(name, "NAME"))

    assert said[0] == said[1]


@pytest.mark.requirement("authorize:strangers-learn-nothing")
async def test_the_endpoint_of_a_server_that_may_not_be_known_is_like_none(
    gateway: GatewayUnderTest,
) -> None:
    answers = []
    async with gateway.http("stranger") as http:
        for server in ("orders", "nothing"):
            for method in ("initialize", "tools/list", "prompts/list"):
                body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {}}
                answer = await http.post(f"/servers/{server}/mcp", json=body)
                known = json.loads(answer.content)["error"]
                known.pop("data", None)
                answers.append((server, method, answer.status_code, known))

    assert [a[1:] for a in answers if a[0] == "orders"] == [
        a[1:] for a in answers if a[0] == "nothing"
    ]


@ERAS
@pytest.mark.requirement("limit:per-principal-and-target")
async def test_over_the_limit_the_answer_says_when_to_try_again(
    gateway: GatewayUnderTest, mode: str
) -> None:
    gateway.key(f"busy-{mode}", "user")
    await gateway.parts.keyring.refresh()
    order = {"customer": "Ada", "item": "cup", "quantity": 1}
    async with gateway.as_(f"busy-{mode}", mode) as client:
        made = [await client.call_tool("orders__create_order", order) for _ in range(3)]

    assert [result.is_error for result in made] == [False, False, True]
    assert "Try again in" in _text(made[2])


@ERAS
@pytest.mark.requirement("ledger:two-entries-and-a-receipt")
async def test_every_answer_carries_where_its_outcome_stands(
    gateway: GatewayUnderTest, mode: str
) -> None:
    async with gateway.as_("alice", mode) as client:
        result = await client.call_tool("time__echo", {"text": "for the record"})

    assert result.meta is not None
    receipt = result.meta[RECEIPT]
    lines = {line["index"]: line for line in gateway.entries()}
    outcome = lines[receipt["index"]]
    intent = lines[outcome["intent"]]
    assert (intent["kind"], outcome["kind"], outcome["outcome"]) == ("intent", "outcome", "ok")
    assert intent["call"] == outcome["call"] == receipt["call"]
    assert "arguments/text" in intent["commit"]
    assert "for the record" not in json.dumps(lines)


@ERAS
@pytest.mark.requirement("guard:results-are-inspected")
async def test_hidden_text_in_a_result_is_not_released(
    gateway: GatewayUnderTest, mode: str
) -> None:
    async with gateway.as_("alice", mode) as client:
        result = await client.call_tool("everything__secret", {})

    assert result.is_error
    assert "hidden unicode" in _text(result)
    assert "drow" not in _text(result)
    assert gateway.outcomes()[-1]["outcome"] == "blocked"


@ERAS
@pytest.mark.requirement("guard:arguments-are-inspected")
async def test_a_credential_in_the_arguments_never_leaves(
    gateway: GatewayUnderTest, mode: str
) -> None:
    async with gateway.as_("alice", mode) as client:
        result = await client.call_tool("time__echo", {"text": "AKIAABCDEFGHIJKLMNOP"})

    assert result.is_error
    assert "credential" in _text(result)
    assert "AKIA" not in json.dumps(gateway.entries())


@ERAS
@pytest.mark.requirement("edge:progress-passes")
@pytest.mark.parametrize("server", ["time", "everything"])
async def test_progress_reaches_the_caller_who_asked(
    gateway: GatewayUnderTest, mode: str, server: str
) -> None:
    seen: list[float] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        seen.append(progress)

    async with gateway.as_("alice", mode) as client:
        result = await client.call_tool(
            f"{server}__count", {"steps": 3}, progress_callback=on_progress
        )

    assert _text(result) == "3"
    assert seen == [1, 2, 3]


@pytest.mark.requirement("edge:hang-up-cancels")
async def test_a_caller_who_hangs_up_is_recorded_as_cancelled(gateway: GatewayUnderTest) -> None:
    async def call(client: Client) -> None:
        await client.call_tool("time__slow", {"seconds": 30})

    async with gateway.as_("alice") as client:
        with anyio.move_on_after(1.0):
            await call(client)

    async with asyncio.timeout(5):
        while [line["outcome"] for line in gateway.outcomes()[-1:]] != ["cancelled"]:
            await asyncio.sleep(0.05)


@ERAS
@pytest.mark.requirement("skills:served")
async def test_skills_are_resources_and_prompts(gateway: GatewayUnderTest, mode: str) -> None:
    async with gateway.as_("admin", mode) as client:
        uris = {str(resource.uri) for resource in (await client.list_resources()).resources}
        read = await client.read_resource("skill://request-access/SKILL.md")
        prompt = await client.get_prompt("gateway__review-the-ledger")

    assert "skill://review-the-ledger/SKILL.md" in uris
    assert "name: request-access" in read.contents[0].text  # type: ignore[union-attr]
    assert "mcp-gateway verify" in prompt.messages[0].content.text  # type: ignore[union-attr]


@ERAS
@pytest.mark.requirement("edge:own-names-at-one-server")
async def test_one_server_is_met_under_its_own_names(gateway: GatewayUnderTest, mode: str) -> None:
    async with gateway.as_("alice", mode, path="/servers/time/mcp") as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        result = await client.call_tool("echo", {"text": "plain"})

    assert {"echo", "count"} <= names
    assert not any(name.startswith("orders") for name in names)
    assert _text(result) == "plain"


@pytest.mark.requirement("servers:one-away-costs-its-own-tools")
async def test_an_upstream_that_is_away_is_said_in_readiness_and_costs_nothing_else(
    gateway: GatewayUnderTest,
) -> None:
    async with gateway.http("alice") as http:
        ready = await http.get("/readyz")

    assert ready.status_code == 200
    assert "away" in ready.json()["troubles"]["server away"]


async def test_a_denial_is_explained_to_its_own_caller_only(gateway: GatewayUnderTest) -> None:
    async with gateway.as_("alice") as client:
        denied = await client.call_tool("orders__refund_order", {"id": "1001"})
        call = denied.meta[RECEIPT]["call"]  # type: ignore[index]
        told = await client.call_tool("gateway__explain_denial", {"call": call})
        mine = await client.call_tool("gateway__whoami", {})
    async with gateway.as_("admin") as client:
        others = await client.call_tool("gateway__explain_denial", {"call": call})

    assert json.loads(_text(told))["rule"] == "no-refunds"
    assert json.loads(_text(mine))["subject"] == "alice"
    assert others.is_error


@pytest.mark.requirement("identity:keys-are-revoked-within-a-second")
async def test_a_revoked_key_no_longer_authenticates(gateway: GatewayUnderTest) -> None:
    async with gateway.http("admin") as http:
        made = (await http.post("/admin/keys", json={"subject": "brief"})).json()
        gateway.keys["brief"] = made["key"]
        async with gateway.http("brief") as brief:
            body = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
            before = await brief.post("/mcp", json=body)
            await http.post("/admin/keys/revoke", json={"id": made["id"]})
            after = await brief.post("/mcp", json=body)

    assert (before.status_code, after.status_code) == (200, 401)
    assert after.headers["www-authenticate"].startswith("Bearer")
    acts = [line["target"] for line in gateway.outcomes() if line["method"] == "operations/call"]
    assert acts[-2:] == ["operation/gateway/keys.create", "operation/gateway/keys.revoke"]


async def test_an_administrative_act_needs_an_allow_like_any_call(
    gateway: GatewayUnderTest,
) -> None:
    async with gateway.http("alice") as http:
        refused = await http.get("/admin/keys")

    assert refused.status_code in (403, 404)
    assert gateway.outcomes()[-1]["outcome"] == "forbidden"


@pytest.mark.requirement("ledger:verifies-offline")
async def test_after_everything_the_ledger_verifies(gateway: GatewayUnderTest) -> None:
    await asyncio.to_thread(gateway.parts.log.checkpoint)

    reports = verify(gateway.parts.home.ledger)

    assert [report.damage for report in reports] == [[]]
    assert reports[0].signed > 0
