"""compose(): the stages, wrapped into one function."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from mcp_gateway.core import ports
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call, Next
from mcp_gateway.core.errors import Forbidden

EDGE: Final = frozenset(
    {"id", "method", "params", "principal", "snapshot", "endpoint", "parent", "trace", "notify"}
    | {"mirrors", "declared", "shown"}
)
"""What the edge has set before the first stage runs."""


async def nowhere(call: Call) -> Result:
    """Where a chain ends that nobody answered."""
    raise Forbidden(f"nothing answers {call.method}")


def compose(stages: Sequence[ports.Stage]) -> Next:
    """Wraps the stages, the first outermost.

    Raises ValueError when a stage needs what neither the edge nor an earlier stage sets.
    """
    _check_order(stages)
    answer: Next = nowhere
    for stage in reversed(stages):
        answer = partial(stage, call_next=answer)
    return answer


def _check_order(stages: Sequence[ports.Stage]) -> None:
    known = set(EDGE)
    for stage in stages:
        if missing := stage.needs - known:
            name = type(stage).__name__
            raise ValueError(
                f"{name} needs {', '.join(sorted(missing))}, which nothing sets before it"
            )
        known |= stage.sets
