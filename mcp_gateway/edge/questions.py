"""What the gateway asks a client of the initialize era, and the answers that come back by id."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from mcp_gateway.core.asking import Question
from mcp_gateway.core.body import Body
from mcp_gateway.wire import jsonrpc

CANCELLED: Final = "notifications/cancelled"
Say = Callable[[Body], Awaitable[None]]
"""Carries a message to the client."""


class TakenBack(Exception):  # nothing went wrong
    """Who asked does not want to know any more."""


class Questions:
    """The open questions of one session. Their ids are texts that no runtime's library makes."""

    def __init__(self) -> None:
        self._open: dict[bytes, asyncio.Future[jsonrpc.Message]] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._open)

    async def put(
        self, question: Question, say: Say, seconds: float, unasked: "asyncio.Future[None]"
    ) -> jsonrpc.Message:
        """Asks, and waits for the answer.

        Raises TimeoutError when none comes in time, and TakenBack once `unasked` is done.
        """
        self._count += 1
        id_ = b'"gw-%d"' % self._count
        answer: asyncio.Future[jsonrpc.Message]
        answer = self._open[id_] = asyncio.get_running_loop().create_future()
        try:
            await say(Body(jsonrpc.request(id_, question.method, question.params)))
            either: set[asyncio.Future[Any]] = {answer, unasked}
            await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
            await say(Body(jsonrpc.notification(CANCELLED, b'{"requestId":%b}' % id_)))
            raise TakenBack if unasked.done() else TimeoutError
        finally:
            del self._open[id_]

    def answer(self, message: jsonrpc.Message) -> None:
        """A response has come; what answers nothing that is open is nobody's.

        Raises jsonrpc.Malformed for a result that could be read in two ways, or is no object.
        """
        waiting = self._open.get(message.id)
        if waiting is None or waiting.done():
            return
        if not message.error:
            jsonrpc.parse(jsonrpc.request(b"0", "answer", message.result or b"null"))
        waiting.set_result(message)
