"""What every stage must pass: it changes what it `sets`, and nothing else."""

import contextlib
from dataclasses import fields
from typing import Any, Final

from mcp_gateway.core import ports
from mcp_gateway.core.call import Call
from mcp_gateway.core.errors import Refusal
from tests.support.calls import Rest

GROWS: Final = frozenset({"attempts", "discharged", "facts"})
"""These only grow, whoever adds to them."""


def picture(call: Call) -> dict[str, Any]:
    """The fields of a call, as they stand."""
    return {each.name: getattr(call, each.name) for each in fields(call)}


def changed(before: dict[str, Any], call: Call) -> frozenset[str]:
    """The fields that are no longer what they were."""
    after = picture(call)
    return frozenset(name for name in before if after[name] is not before[name]) - GROWS


async def check(stage: ports.Stage, call: Call, rest: Rest | None = None) -> None:
    """Runs the stage and asserts its contract; a refusal is an end like another."""
    before, discharged = picture(call), set(call.discharged)
    with contextlib.suppress(Refusal):
        await stage(call, rest or Rest())
    assert changed(before, call) <= stage.sets
    assert call.discharged >= discharged
    assert stage.needs <= frozenset(before)
    assert stage.sets <= frozenset(before)
