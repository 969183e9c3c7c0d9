"""Policies for tests, written as lines."""

from collections.abc import Mapping
from pathlib import Path

import pytest

import policies
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.target import Target
from policies import Engine, PolicyError, parse_target


def load(folder: Path, *lines: str, aliases: Mapping[str, str] | None = None) -> Engine:
    file = folder / "rules.csv"
    file.write_bytes("\n".join(lines).encode())
    return policies.load([file], aliases)


def faults(folder: Path, *lines: str, aliases: Mapping[str, str] | None = None) -> str:
    """What speaks against these lines, which must not be loaded."""
    with pytest.raises(PolicyError) as caught:
        load(folder, *lines, aliases=aliases)
    return str(caught.value)


def who(name: str = "alice", *roles: str, tenant: str = "acme") -> Principal:
    return Principal("local", name, tenant, roles=frozenset(roles))


def allowed(engine: Engine, principal: Principal, target: str, action: str = "tools/call") -> bool:
    return engine.decide_for(principal, parse_target(target), action).allowed


def tool(name: str, server: str = "github") -> Target:
    return Target("tool", server, name)
