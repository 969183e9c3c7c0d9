"""Children that speak MCP over their standard streams as a test has them speak."""

import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from connectors.mcp_stdio import McpStdio, StdioConfig
from mcp_gateway.core.target import Target
from tests.connectors.conftest import Around
from tests.support.calls import call

ECHO = Target("tool", "up", "echo")

PREAMBLE = '''
import json, os, sys, time

def hear():
    """The next message; the end of the input is the end of the program."""
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    return json.loads(line)

def say(**message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)

def answer(asked, text):
    say(id=asked["id"], result={"content": [{"type": "text", "text": text}]})

def note(text):
    with open("notes", "a") as file:
        file.write(text + "\\n")

def start():
    asked = hear()
    result = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
              "serverInfo": {"name": "up", "version": "1"}}
    say(id=asked["id"], result=result)
    assert hear()["method"] == "notifications/initialized"
'''


@asynccontextmanager
async def speaking(
    around: Around, program: str, *, started: bool = True, **config: Any
) -> AsyncIterator[McpStdio]:
    """The connector to a child that runs this program; `started`: once it has taken part."""
    script = around.services.data.parent / "program.py"
    begin = "start()\n" if started else ""
    script.write_text(PREAMBLE + begin + textwrap.dedent(program), "utf-8")
    own = StdioConfig(command=[sys.executable, str(script)], **config)
    connector = await McpStdio.open("up", own, around.services)
    try:
        yield connector
    finally:
        await connector.aclose()


def echo(text: str = "hello", **fields: Any) -> Any:
    """A call of the tool `echo`. `token`: it wants to hear of its progress."""
    params: dict[str, Any] = {"name": "up__echo", "arguments": {"text": text}}
    if "token" in fields:
        params["_meta"] = {"progressToken": fields.pop("token")}
    made = call(params=params, **fields)
    made.target = ECHO
    return made


def noted(around: Around) -> list[str]:
    """What the child has noted, in its own folder."""
    file = Path(around.services.data / "servers" / "up" / "notes")
    return file.read_text("utf-8").splitlines() if file.exists() else []


def text_of(result: Any) -> str:
    return str(result.view()["content"][0]["text"])
