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
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import mcp_types as types
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from tests.conformance import grants
from tests.conformance.gateway import gateway
from tests.conformance.person import Person, link
from tests.conformance.suite import OAUTH

BOUND = 30.0
CONNECT = "connect_reference"
"""The gateway's own tool, until somebody has connected the upstream."""
ARGUMENTS: dict[str, dict[str, Any]] = {
    "add_numbers": {"a": 5, "b": 3},
    "valid_tool": {"region": "us-west1"},
}
"""What the tools of the suite's servers need, where they need anything."""


async def _elicited(
    person: Person, context: Any, params: types.ElicitRequestParams
) -> types.ElicitResult:
    """Accepts, with the defaults of the form, and yes where a question has none.

    An address is opened, as a person would.
    """
    if isinstance(params, types.ElicitRequestURLParams):
        connected = await person.follow(params.url)
        return types.ElicitResult(action="accept" if connected else "cancel")
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


async def _consenting(client: Client, person: Person) -> None:
    """Calls every tool that is listed, and goes on with the links that the answers have.

    The list is empty but for the gateway's own tool until somebody has connected the upstream, and
    again when the upstream refuses what was connected, until the person gives up.
    """
    done: set[str] = set()
    async with asyncio.timeout(BOUND):
        while person.left:
            listed = [tool.name for tool in (await client.list_tools()).tools]
            fresh = [name for name in listed if name not in done]
            for name in fresh:
                await _connected(client, person, name)
            done.update(fresh)
            done.discard(CONNECT)
            if not fresh and done:
                return
            await asyncio.sleep(0.1)


async def _connected(client: Client, person: Person, name: str) -> None:
    """One tool, again after each link that was followed."""
    while url := link(said := await _said(client, name)):
        if not await person.follow(url):
            raise SystemExit(f"not connected: {said}")


async def _said(client: Client, name: str) -> str:
    try:
        result = await client.call_tool(name, {})
    except MCPError as refused:
        return f"{refused} {refused.error.data}"
    return " ".join(block.text for block in result.content if isinstance(block, types.TextContent))


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
    name, context = _asked()
    person = Person()
    revision = os.environ.get("MCP_CONFORMANCE_PROTOCOL_VERSION", "2025-11-25")
    async with httpx2.AsyncClient(timeout=BOUND) as http:
        client = Client(
            streamable_http_client(url, http_client=http),
            mode="auto" if revision in MODERN_PROTOCOL_VERSIONS else "legacy",
            elicitation_callback=partial(_elicited, person),
            sampling_callback=_sampled,
            list_roots_callback=_rooted,
        )
        async with client:
            if name.startswith(OAUTH):
                await _consenting(client, person)
            else:
                await _scenario(client, name, context)


def _asked() -> tuple[str, dict[str, Any]]:
    """The scenario, and what the suite says of it."""
    context = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT", "{}"))
    return os.environ["MCP_CONFORMANCE_SCENARIO"], context


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.client")
    parser.add_argument("--through", type=Path, help="where a gateway may keep its data")
    parser.add_argument("url")
    given = parser.parse_args()
    front: AbstractContextManager[str] = nullcontext(given.url)
    if given.through:
        given.through.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=given.through))
        front = gateway(folder, given.url, grants.section(*_asked(), folder))
    with front as url:
        asyncio.run(_drive(url))


if __name__ == "__main__":
    main()
