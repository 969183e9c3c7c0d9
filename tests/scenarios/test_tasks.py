"""Tasks (SEP-2663) through the whole gateway: who began one may ask for it, and nobody else."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mcp_gateway.wire import jsonrpc
from tests.connectors.http import Asked, Raw, error, raw_upstream, result
from tests.support.gateway import GatewayUnderTest, gateway_under_test

EXTENSION = "io.modelcontextprotocol/tasks"
CONFIG = """
[policy]
rules = ["builtin:first-run"]

[servers.everything]
connector = "mcp_http"
url = "@URL@"

[servers.time]
connector = "mcp_stdio"
command = ["@PYTHON@", "@EXAMPLE@"]
"""
ENDPOINTS = pytest.mark.parametrize("path", ["/mcp", "/servers/everything/mcp"])


def say(asked: Asked) -> bytes:
    """An upstream whose one tool takes its time where the client has declared that it may."""
    params = asked.message["params"]
    match asked.method:
        case "tools/list":
            return result(asked, {"tools": [{"name": "dig", "inputSchema": {"type": "object"}}]})
        case "tools/call" if EXTENSION in json.dumps(params["_meta"]):
            return result(asked, {"resultType": "task", "taskId": "dig-1", "status": "working"})
        case "tools/call":
            return error(asked, -32021, b"400 Bad Request")
        case "tasks/get" | "tasks/update" | "tasks/cancel":
            known = params["taskId"] == asked.head["mcp-name"] == "dig-1"
            return result(asked, _state(asked.method)) if known else error(asked, -32602)
        case _:
            return error(asked, -32601)


def _state(method: str) -> dict[str, Any]:
    if method != "tasks/get":
        return {"resultType": "complete"}
    whole = {"content": [{"type": "text", "text": "dug"}]}
    return {
        "resultType": "complete",
        "taskId": "dig-1",
        "status": "completed",
        "result": whole,
    }


@pytest.fixture(scope="module")
async def world(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[GatewayUnderTest, Raw]]:
    async with raw_upstream(say) as upstream:
        config = CONFIG.replace("@URL@", upstream.url)
        async with gateway_under_test(tmp_path_factory.mktemp("tasks"), config) as gateway:
            gateway.key("bob", "user")
            await gateway.parts.keyring.refresh()
            await gateway.serving("everything", "time")
            yield gateway, upstream


async def answered(
    gateway: GatewayUnderTest,
    method: str,
    named: str,
    path: str = "/mcp",
    *,
    subject: str = "alice",
    extensions: tuple[str, ...] = (EXTENSION,),
    **params: Any,
) -> dict[str, Any]:
    """The message that answers; `named` is what `Mcp-Name` says."""
    headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": method, "mcp-name": named}
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {"extensions": {e: {} for e in extensions}},
    }
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
    async with gateway.http(subject) as http:
        answer: dict[str, Any] = (await http.post(path, json=message, headers=headers)).json()
    return answer


async def began(gateway: GatewayUnderTest, path: str = "/mcp") -> str:
    """What Alice knows a new task by."""
    name = "everything__dig" if path == "/mcp" else "dig"
    answer = await answered(gateway, "tools/call", name, path, name=name, arguments={})
    assert answer["result"]["resultType"] == "task"
    return str(answer["result"]["taskId"])


@ENDPOINTS
@pytest.mark.requirement("tasks:of-who-began-them")
async def test_a_task_is_asked_for_changed_and_cancelled_by_the_name_that_its_caller_was_given(
    world: tuple[GatewayUnderTest, Raw], path: str
) -> None:
    gateway, upstream = world
    task = await began(gateway, path)

    got = await answered(gateway, "tasks/get", task, path, taskId=task)
    updated = await answered(gateway, "tasks/update", task, path, taskId=task, inputResponses={})
    cancelled = await answered(gateway, "tasks/cancel", task, path, taskId=task)

    assert "dig-1" not in task
    assert got["result"]["taskId"] == task
    assert got["result"]["result"] == {"content": [{"type": "text", "text": "dug"}]}
    assert updated["result"]["resultType"] == cancelled["result"]["resultType"] == "complete"
    assert upstream.of("tasks/update")[-1].message["params"]["inputResponses"] == {}


@pytest.mark.requirement("tasks:of-who-began-them")
async def test_a_task_of_alices_is_nobody_elses_at_either_endpoint(
    world: tuple[GatewayUnderTest, Raw],
) -> None:
    gateway, upstream = world
    task = await began(gateway)
    before = len(upstream.of("tasks/get"))
    altered = task[:-1] + ("A" if task[-1] != "A" else "B")

    errors = [
        (await answered(gateway, "tasks/get", name, path, subject=subject, taskId=name))["error"]
        for name, path, subject in (
            (task, "/mcp", "bob"),
            (task, "/servers/everything/mcp", "bob"),
            (task, "/servers/time/mcp", "alice"),
            (altered, "/mcp", "alice"),
            ("dig-1", "/servers/everything/mcp", "alice"),
            ("", "/mcp", "alice"),
        )
    ]

    assert {each["code"] for each in errors} == {-32602}
    said = {each["message"].partition("Call:")[0] for each in errors}
    assert len(said) == 1
    assert len(upstream.of("tasks/get")) == before


@pytest.mark.requirement("tasks:of-who-began-them")
async def test_the_record_names_the_tool_and_how_its_call_ended(
    world: tuple[GatewayUnderTest, Raw],
) -> None:
    gateway, _ = world
    task = await began(gateway)
    await answered(gateway, "tasks/get", task, taskId=task)

    ended = [line for line in gateway.outcomes() if line["method"] != "tools/list"][-2:]
    assert [(line["target"], line["outcome"]) for line in ended] == [
        ("tool/everything/dig", "task"),
        ("task/everything/dig", "ok"),
    ]
    assert jsonrpc.encode(task).strip(b'"') not in jsonrpc.encode(ended)


@pytest.mark.requirement("capabilities:offered-and-relayed")
async def test_who_does_not_say_that_they_can_wait_is_told_so_by_the_upstream(
    world: tuple[GatewayUnderTest, Raw],
) -> None:
    gateway, _ = world
    name = "everything__dig"

    answer = await answered(
        gateway, "tools/call", name, extensions=("vendor/own",), name=name, arguments={}
    )

    assert answer["error"]["code"] == -32021


@pytest.mark.requirement("capabilities:offered-and-relayed")
async def test_who_does_not_say_that_they_can_wait_may_not_ask_for_a_task_either(
    world: tuple[GatewayUnderTest, Raw],
) -> None:
    gateway, upstream = world
    task, before = await began(gateway), len(upstream.asked)

    answer = await answered(gateway, "tasks/get", task, extensions=("vendor/own",), taskId=task)

    error = answer["error"]
    assert (error["code"], error["data"]["requiredCapabilities"]) == (
        -32021,
        {"extensions": {EXTENSION: {}}},
    )
    assert len(upstream.asked) == before
