"""The client that the client legs drive: `python -m tests.conformance.client URL`.

With `--through FOLDER` it starts a gateway in front of the scenario's server, so that the suite
judges what the gateway sends. Scenario and revision come from the environment, as the suite says.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Awaitable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import httpx2
import mcp_types as types
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from tests.conformance.gateway import gateway

BOUND = 30.0
ARGUMENTS: dict[str, dict[str, Any]] = {
    "add_numbers": {"a": 5, "b": 3},
    "valid_tool": {"region": "us-west1"},
}
"""What the tools of the suite's servers need, where they need anything."""


async def _elicited(context: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
    """Accepts, with the defaults of the form, and yes where a question has none."""
    schema = getattr(params, "requested_schema", None) or {}
    filled = {
        name: field.get("default", True)
        for name, field in schema.get("properties", {}).items()
        if "default" in field or field.get("type") == "boolean"
    }
    return types.ElicitResult(action="accept", content=filled)


async def _sampled(
    context: Any, params: types.CreateMessageRequestParams
) -> types.CreateMessageResult:
    reply = types.TextContent(type="text", text="A reply")
    return types.CreateMessageResult(role="assistant", content=reply, model="a model")


async def _rooted(context: Any) -> types.ListRootsResult:
    return types.ListRootsResult(roots=[])


async def _attempted(call: Awaitable[object]) -> None:
    """A server may refuse on purpose, or answer what the SDK does not read.

    What it received is judged, not what it answered.
    """
    try:
        await call
    except (MCPError, ValidationError) as refused:
        print(f"refused: {refused}", file=sys.stderr)


async def _scenario(client: Client, name: str, context: dict[str, Any]) -> None:
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    if name == "json-schema-2020-12-preservation":
        schema = tools["json_schema_2020_12_tool"].input_schema
        await client.call_tool("json_schema_echo", {"schema": schema})
        return
    if name == "http-standard-headers":
        await _documents(client)
    calls = [{"name": tool, "arguments": ARGUMENTS.get(tool, {})} for tool in tools]
    calls = context.get("toolCalls", calls)
    if name == "sep-2322-client-request-state":
        async with asyncio.TaskGroup() as group:
            for call in calls:
                group.create_task(_attempted(client.call_tool(**call)))
        return
    for call in calls:
        await _attempted(client.call_tool(call["name"], call["arguments"]))


async def _documents(client: Client) -> None:
    for resource in (await client.list_resources()).resources:
        await _attempted(client.read_resource(str(resource.uri)))
    for prompt in (await client.list_prompts()).prompts:
        await _attempted(client.get_prompt(prompt.name, {}))


async def _drive(url: str) -> None:
    name = os.environ["MCP_CONFORMANCE_SCENARIO"]
    revision = os.environ.get("MCP_CONFORMANCE_PROTOCOL_VERSION", "2025-11-25")
    context = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT", "{}"))
    async with httpx2.AsyncClient(timeout=BOUND) as http:
        client = Client(
            streamable_http_client(url, http_client=http),
            mode="auto" if revision in MODERN_PROTOCOL_VERSIONS else "legacy",
            elicitation_callback=_elicited,
            sampling_callback=_sampled,
            list_roots_callback=_rooted,
        )
        async with client:
            await _scenario(client, name, context)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.client")
    parser.add_argument("--through", type=Path, help="where a gateway may keep its data")
    parser.add_argument("url")
    given = parser.parse_args()
    front: AbstractContextManager[str] = nullcontext(given.url)
    if given.through:
        given.through.mkdir(parents=True, exist_ok=True)
        front = gateway(Path(tempfile.mkdtemp(dir=given.through)), given.url)
    with front as url:
        asyncio.run(_drive(url))


if __name__ == "__main__":
    main()
