"""Limit: how often."""

from typing import ClassVar

from mcp_gateway.core import ports
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call, Next
from mcp_gateway.core.decision import LIMIT


class Limit:
    """Charges the call to every limit that covers it, and holds its place while it runs."""

    needs: ClassVar = frozenset({"principal", "target", "decision", "resumed"})
    sets: ClassVar = frozenset[str]()

    def __init__(self, limiter: ports.Limiter) -> None:
        self._limiter = limiter

    async def __call__(self, call: Call, call_next: Next) -> Result:
        if call.resumed.free:  # the call that asked was charged
            call.discharged.add(LIMIT)
            return await call_next(call)
        async with self._limiter.hold(call):
            call.discharged.add(LIMIT)
            return await call_next(call)
