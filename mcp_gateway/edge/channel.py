"""The GET stream of a session: it hears what a listen would tell, for as long as it is followed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from mcp_gateway.core.body import Body
from mcp_gateway.core.call import Call, Notify
from mcp_gateway.edge.asgi import Receive
from mcp_gateway.edge.listening import LEFT, Listening, wanted
from mcp_gateway.edge.standing import Presented
from mcp_gateway.services.listens import ACKNOWLEDGED

ENDING: Final = 2.0
"""Seconds that a listen gets to end when its stream has."""
_ACKNOWLEDGED: Final = ACKNOWLEDGED.encode()

Make = Callable[[Body, Notify], Call]
"""A call that listens with these parameters, and is told so."""
Answer = Callable[[Call], Awaitable[object]]
"""Through the chain, whatever comes of it."""


class Session(Protocol):
    uris: set[str]
    altered: Callable[[], None] | None

    def say(self, message: bytes) -> None: ...


async def _never() -> dict[str, object]:
    """Who follows the stream is watched elsewhere."""
    await asyncio.Event().wait()
    return {}


class Channel:
    """Listens anew when the session subscribes to something else; the old listen ends after it."""

    def __init__(self, listening: Listening, session: Session, make: Make, answer: Answer) -> None:
        self._listening = listening
        self._session = session
        self._make = make
        self._answer = answer
        self._altered = asyncio.Event()
        self._stopped = False

    def stop(self) -> None:
        """The stream is followed no more."""
        self._stopped = True
        self._altered.set()

    async def run(self, shown: Presented) -> None:
        """Until it is stopped."""
        self._session.altered = self._altered.set
        before = ""
        async with asyncio.TaskGroup() as group:
            while not self._stopped:
                self._altered.clear()
                heard = asyncio.Event()
                call = self._make(wanted(uris=sorted(self._session.uris)), self._told(heard))
                group.create_task(self._listen(call, shown, heard))
                await heard.wait()
                self._listening.end(before, LEFT)
                before = call.id
                await self._altered.wait()
            self._listening.end(before, LEFT)

    async def _listen(self, call: Call, shown: Presented, heard: asyncio.Event) -> None:
        receive: Receive = _never
        try:
            async with self._listening.open(call, shown, receive):
                await self._answer(call)
        finally:
            heard.set()  # who is refused hears nothing, and follows the stream all the same

    def _told(self, heard: asyncio.Event) -> Notify:
        async def told(message: Body) -> None:
            if _ACKNOWLEDGED in message.raw:
                heard.set()
            else:
                self._session.say(message.raw)

        return told
