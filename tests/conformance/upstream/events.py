"""Events: what streams said, so that one that was closed can be taken up again (2025-11-25)."""

import mcp_types as types
from mcp.server.streamable_http import EventCallback, EventMessage, EventStore

KEPT = 10_000


class Events(EventStore):
    """The last ones of all streams, in memory."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[str, types.JSONRPCMessage | None]] = {}
        self._count = 0

    async def store_event(self, stream_id: str, message: types.JSONRPCMessage | None) -> str:
        self._count += 1
        self._kept[self._count] = (stream_id, message)
        if len(self._kept) > KEPT:
            self._kept.pop(next(iter(self._kept)))
        return str(self._count)

    async def replay_events_after(
        self, last_event_id: str, send_callback: EventCallback
    ) -> str | None:
        last = int(last_event_id) if last_event_id.isdecimal() else 0
        if last not in self._kept:
            return None
        stream = self._kept[last][0]
        for number, (of, message) in list(self._kept.items()):
            if number > last and of == stream and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream
