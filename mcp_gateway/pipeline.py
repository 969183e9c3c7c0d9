"""compose(): the stages, wrapped into one function; hearing(): those that nothing is sent for."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from mcp_gateway.core import ports
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call, Next
from mcp_gateway.core.decision import CREDENTIAL, LIMIT
from mcp_gateway.core.errors import Forbidden
from mcp_gateway.core.snapshot import Hear

EDGE: Final = frozenset(
    {"id", "method", "params", "principal", "snapshot", "endpoint", "parent", "trace", "notify"}
    | {"mirrors", "declared", "shown"}
)
"""What the edge has set before the first stage runs."""
SENDING: Final = frozenset({LIMIT, CREDENTIAL})
"""What is owed for what leaves the gateway, and for nothing else."""


async def nowhere(call: Call) -> Result:
    """Where a chain ends that nobody answered."""
    raise Forbidden(f"nothing answers {call.method}")


def compose(stages: Sequence[ports.Stage]) -> Next:
    """Wraps the stages, the first outermost.

    Raises ValueError when a stage needs what neither the edge nor an earlier stage sets.
    """
    _check_order(stages)
    return _around(stages, nowhere)


def hearing(stages: Sequence[ports.Stage]) -> Hear:
    """Wraps the stages around what an upstream says by itself. Raises ValueError as `compose`.

    It passes them as the answer to a call would, and whoever hears it is charged nothing.
    """
    _check_order(stages)

    async def hear(call: Call, said: Next) -> Result:
        async def end(call: Call) -> Result:
            if owed := call.outstanding("request") - SENDING:
                raise Forbidden("owed before hearing: " + ", ".join(sorted(map(str, owed))))
            return await said(call)

        return await _around(stages, end)(call)

    return hear


def _around(stages: Sequence[ports.Stage], end: Next) -> Next:
    answer = end
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
