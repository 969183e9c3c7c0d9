"""What every guard must pass, whatever it looks for."""

from collections.abc import Mapping
from typing import Any

from local_models.leaves import leaves
from mcp_gateway.core import ports
from mcp_gateway.wire import jsonrpc
from tests.support.calls import call

PLAIN: Mapping[str, Any] = {"content": [{"type": "text", "text": "the weather is fine"}]}


async def inspect(
    guard: ports.Guard, value: Any, channel: ports.Channel = "result"
) -> list[ports.Finding]:
    """What the guard finds, by way of its leaves alone."""
    return list((await guard.inspect(call(), channel, leaves(value))).findings)


async def check(guard: ports.Guard, bad: Any) -> None:
    """Asserts the contract, with one value that this guard is sure to object to."""
    raw = jsonrpc.encode(bad)
    assert not guard.clears(raw), "a guard that finds something must not have cleared it"
    found = await inspect(guard, bad)
    assert found, "the guard does not find what it is said to find"
    assert all(isinstance(finding.label, str) and finding.label for finding in found)
    assert await inspect(guard, bad) == found, "the same content has the same verdict"
    assert await inspect(guard, PLAIN) == []
    assert await inspect(guard, {}) == []
