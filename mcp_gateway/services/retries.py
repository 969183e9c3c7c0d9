"""Retries: what may be sent again, and how often. Runtimes never do it, so the gateway does."""

import asyncio
from collections.abc import Awaitable, Callable, Container
from typing import Final

from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.errors import UpstreamFailed

PAUSES: Final = (0.05, 0.2)
"""Seconds before each further sending of a tool that was reviewed as idempotent."""


async def resent(
    call: Call,
    failure: UpstreamFailed,
    send: Callable[[Call], Awaitable[Result]],
    idempotent: Container[str],
) -> Result:
    """Sends a call again that failed. Raises its last failure, and whatever else `send` raises.

    Once when nothing of it has left; twice more for an idempotent tool when what failed may pass.
    """
    unsent = [0.0]
    reviewed = call.target.kind == "tool" and call.target.name in idempotent
    pauses = list(PAUSES) if reviewed else []
    left = failure.sent
    while True:
        if not failure.sent and unsent:
            pause = unsent.pop()
        elif pauses and (failure.passing or not failure.sent):
            pause = pauses.pop(0)
        else:
            failure.sent = left
            raise failure
        await asyncio.sleep(pause)
        call.attempts += 1
        try:
            return await send(call)
        except UpstreamFailed as again:
            failure = again
            left = left or again.sent
