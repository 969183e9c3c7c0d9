"""Parked: a request that waits, at its upstream, for the answer to what it asked."""

from typing import TYPE_CHECKING

from mcp_gateway.core.asking import Fate, Question
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.errors import QuestionExpired
from mcp_gateway.wire import jsonrpc

if TYPE_CHECKING:
    from connectors.exchange import Exchange

EXPIRED = "the question has expired: call again"
TAKEN_BACK = "the upstream has taken its question back: call again"


class Parked:
    """Implements `core.asking.Parked`. `id_` is the upstream's own for its question."""

    def __init__(self, exchange: "Exchange", key: str, id_: bytes, question: Question) -> None:
        self._exchange = exchange
        self._key = key
        self._id = id_
        self._question = question
        self._waits = True

    async def resume(self, call: Call) -> Result:
        """A call without an answer is asked the same again, or goes on if nothing is asked now.

        Raises QuestionExpired for an answer that the upstream does not wait for any more, unless it
        has answered meanwhile, and when it is gone.
        """
        if not self._waits:
            raise QuestionExpired(EXPIRED)
        self._waits = False
        exchange = self._exchange
        answer, fate = self._answer(call), exchange.line.fate
        if fate == "lost" or (fate == "taken_back" and answer):
            await exchange.abandon()
            raise QuestionExpired(EXPIRED if fate == "lost" else TAKEN_BACK)
        if fate != "open":
            return await exchange.answered(call)
        if not answer:
            return exchange.asking(self._key, self._id, self._question)
        return await exchange.answered(call, jsonrpc.result(self._id, answer))

    async def fate(self) -> Fate:
        return await self._exchange.line.decided()

    async def abandon(self) -> None:
        if not self._waits:
            return
        self._waits = False
        if self._exchange.line.fate == "answered":
            self._exchange.line.leave()
        else:
            await self._exchange.abandon()

    def _answer(self, call: Call) -> bytes:
        """The object under this question's key, empty for none."""
        try:
            answers = jsonrpc.members(call.outgoing.raw).get("inputResponses")
            answer = None if answers is None else jsonrpc.members(bytes(answers)).get(self._key)
        except ValueError:
            return b""
        raw = b"" if answer is None else bytes(answer)
        return raw if raw[:1] == b"{" else b""
