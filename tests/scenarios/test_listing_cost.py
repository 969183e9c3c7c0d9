"""A listing of 200 tools at 1,000 rules, cold: as long as it took, and what is in it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.definitions import define
from mcp_gateway.core.snapshot import Snapshot
from mcp_gateway.core.target import Definition
from mcp_gateway.services import catalog
from mcp_gateway.services.listing import listing
from policies import Engine
from tests.policies.rulebook import load
from tests.support.calls import call, snapshot

TOOLS = 200
RULES = 1_000
MOST = 0.020
"""Seconds of CPU."""


def rules() -> Iterator[str]:
    """A policy as it grows: names, beginnings and ends, of this server, of others and of all."""
    shapes = (
        "tool/github/tool_{}",
        "tool/github/tool_{}_*",
        "tool/github/*_{}_",
        "tool/jira/tool_{}",
        "tool/*/*-{}",
    )
    yield "p, 1, no-fives, role:dev, acme, tool/github/*5, tools/call, , deny,"
    for n in range(RULES - 2):
        target = shapes[n % len(shapes)].format(n + TOOLS)
        yield f"p, {n + 2}, r{n}, role:dev, acme, {target}, *, , deny,"
    yield f"p, {RULES + 2}, others, role:dev, acme, tool/github/*, tools/call, , allow,"


def definitions() -> Iterator[Definition]:
    """Tools of a common size, half a kilobyte each."""
    properties = {f"field_{n}": {"type": "string", "description": "x" * 40} for n in range(5)}
    for n in range(TOOLS):
        tool = {
            "name": f"tool_{n}",
            "description": "what it does, in a sentence or two " * 3,
            "inputSchema": {"type": "object", "properties": properties},
        }
        yield define("github", "tool", tool)


def world(engine: Engine) -> Snapshot:
    built = catalog.build(definitions(), {})
    return snapshot(
        policy=engine, catalog=built.names, local=built.local, definitions=built.definitions
    )


@pytest.mark.requirement("policy:listings-are-quick")
@pytest.mark.parametrize("endpoint", ["", "github"], ids=["all servers", "one server"])
def test_a_cold_listing_takes_under_20_ms_and_shows_what_may_be_used(
    tmp_path: Path, endpoint: str
) -> None:
    spent = []
    for _ in range(3):
        engine = load(tmp_path, *rules())
        assert len(engine.rules.rules) == RULES
        asked = call("tools/list", {}, snapshot=world(engine), endpoint=endpoint)
        before = time.process_time()
        shown = listing(asked, TOOLS, 1000)
        spent.append(time.process_time() - before)

    names = {tool["name"] for tool in shown.view()["tools"]}
    prefix = "" if endpoint else "github__"
    assert names == {f"{prefix}tool_{n}" for n in range(TOOLS) if n % 10 != 5}
    assert min(spent) < MOST, spent
