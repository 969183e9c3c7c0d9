"""Heard: what has come for one request, kept until somebody takes it."""

import asyncio
import copy
from collections import deque
from typing import Final, NamedTuple

from mcp_gateway.core.asking import Fate
from mcp_gateway.core.errors import Refusal, UpstreamTimedOut
from mcp_gateway.wire import jsonrpc

WAITING: Final = 256
"""Notifications that wait for a slow caller; of more the oldest are dropped."""
NOTE: Final = 64 * 1024
"""Bytes of a notification."""
OPEN: Final = 32
"""Questions that wait to be asked."""


class Said(NamedTuple):
    """A message of an upstream's, parsed and as it came."""

    message: jsonrpc.Message
    raw: bytes


class Heard:
    """Messages in order, the answer or the failure last. Whoever fills it never waits."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._notes: deque[Said] = deque(maxlen=WAITING)
        self._questions: deque[Said] = deque()
        self._question = b""
        self._end: Said | Refusal | None = None
        self._woken = asyncio.Event()

    @property
    def lost(self) -> bool:
        """Whether no answer will come any more."""
        return isinstance(self._end, Refusal)

    @property
    def over(self) -> bool:
        """Whether the answer is there, or none will come."""
        return self._end is not None

    @property
    def fate(self) -> Fate:
        """What has become of the question that is parked."""
        if self._end is not None:
            return "lost" if self.lost else "answered"
        return "open" if self._question else "taken_back"

    async def decided(self) -> Fate:
        """Waits until the question is open no more, and returns why."""
        while (fate := self.fate) == "open":
            self._woken.clear()
            await self._woken.wait()
        return fate

    def park(self, question: bytes) -> None:
        """The upstream waits to be told this; nobody takes what comes before it is."""
        self._question = question

    def withdrawn(self, question: bytes) -> None:
        """The upstream does not ask this any more, whether it was put to anybody yet or not."""
        if question == self._question:
            self._question = b""
            self._woken.set()
        else:
            left = [said for said in self._questions if said.message.id != question]
            self._questions = deque(left)

    def note(self, said: Said) -> None:
        if len(said.raw) <= NOTE:
            self._notes.append(said)
            self._woken.set()

    def asked(self, said: Said) -> bool:
        """Whether there is room for one more question."""
        if len(self._questions) >= OPEN:
            return False
        self._questions.append(said)
        self._woken.set()
        return True

    def ended(self, end: Said | Refusal) -> None:
        """The first end counts: an answer that comes twice, or late, changes nothing."""
        self._end = self._end or end
        self._woken.set()

    async def next(self, idle: float) -> Said:
        """What came next. Raises what the request failed with, UpstreamTimedOut."""
        try:
            async with asyncio.timeout(idle):
                while True:
                    if found := self._found():
                        return found
                    self._woken.clear()
                    await self._woken.wait()
        except TimeoutError:
            said = f"{self._server} did not answer within {idle:g} s"
            raise UpstreamTimedOut(said) from None

    def _found(self) -> Said | None:
        if self._notes:
            return self._notes.popleft()
        if isinstance(self._end, Refusal):
            raise copy.copy(self._end)  # others may be told of the same
        if self._end is None and self._questions:
            return self._questions.popleft()
        return self._end  # whoever has answered does not wait for what it asked
