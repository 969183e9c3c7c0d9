"""Levels: whose log messages an upstream sends, and to whom they go on."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from mcp_gateway.core.body import Body
from mcp_gateway.core.call import Call
from mcp_gateway.wire import jsonrpc, modern

METHOD: Final = "notifications/message"
LEVELS: Final = (
    "debug",
    "info",
    "notice",
    "warning",
    "error",
    "critical",
    "alert",
    "emergency",
)
_RANK: Final = {name: rank for rank, name in enumerate(LEVELS)}
OFF: Final = len(LEVELS)
"""The rank of a caller who wants none."""


def wanted(call: Call) -> int:
    """The rank of the least level that this call's caller asked for, `OFF` when they did not."""
    meta = call.params.view().get("_meta")
    named = meta.get(modern.META_LOG_LEVEL) if isinstance(meta, dict) else None
    if named is None and call.declared is not None:
        named = call.declared.level
    return _rank(named)


def heard(call: Call, params: Body) -> bool:
    """Whether the caller asked for a message with these parameters."""
    rank = _rank(params.view().get("level"))
    return wanted(call) <= rank < OFF


def _rank(name: Any) -> int:
    return _RANK.get(name, OFF) if isinstance(name, str) else OFF


class Levels:
    """The level of one session with an upstream of the initialize era.

    It is the least that anybody in the session ever wanted; what others did not want is dropped
    on its way to them. `tell` sends a `logging/setLevel` with these parameters.
    """

    def __init__(self, tell: Callable[[bytes], Awaitable[object]]) -> None:
        self._tell = tell
        self._rank = OFF
        self._telling = asyncio.Lock()

    async def lowered(self, rank: int) -> None:
        """Has the upstream send what is of this rank, and above. Raises as `tell`, once a level."""
        if rank >= self._rank:
            return
        async with self._telling:
            if rank < self._rank:
                self._rank = rank
                await self._tell(jsonrpc.encode({"level": LEVELS[rank]}))
