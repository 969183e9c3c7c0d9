"""Record: outermost. Every call ends in the ledger, and nothing leaves before it does."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, ClassVar, Final

from mcp_gateway.core import describe, ports
from mcp_gateway.core.asking import TASKS, Parked, given_up
from mcp_gateway.core.body import EMPTY, Body, Result, Streaming
from mcp_gateway.core.call import Call, Next, silent
from mcp_gateway.core.decision import RECORD, UNDECIDED
from mcp_gateway.core.entry import UNWRITTEN, Entry, Receipt
from mcp_gateway.core.errors import Forbidden, Refusal
from mcp_gateway.core.passing import Passed, Passing
from mcp_gateway.core.shown import Shown

CANCELLED_BOUND: Final = 5.0
"""Seconds that a cancelled call may take to be recorded."""
ABANDONED_BOUND: Final = 2.0
"""Seconds for telling an upstream that nobody will answer what it asked."""

log = logging.getLogger(__name__)


class Record:
    """Writes the outcome, and gates what the upstream says until it has been looked at."""

    needs: ClassVar = frozenset({"principal", "snapshot"})
    sets: ClassVar = frozenset({"notify", "receipt"})

    def __init__(
        self,
        ledger: ports.Ledger,
        parking: ports.Parking,
        observers: Sequence[ports.Observer] = (),
        clock: Callable[[], float] = time.perf_counter,
        shown: Shown | None = None,
    ) -> None:
        """`shown` outlives a configuration; what was recorded under none is recorded again."""
        self._ledger = ledger
        self._parking = parking
        self._observers = observers
        self._clock = clock
        self._shown = Shown() if shown is None else shown

    async def __call__(self, call: Call, call_next: Next) -> Result:
        started = self._clock()
        call.discharged.add(RECORD)
        call.notify = _gated(call)
        try:
            result = await call_next(call)
            if result.stream is not None:
                return await self._passing(call, started, result.stream)
            _released(call)
            outcome = _word(call, result)
        except BaseException as error:
            await self._broken(call, started, error)
            raise
        if call.parked is None:
            await self._ended(call, outcome, started, result)
        else:
            await self._waits(call, call.parked, outcome, started, result)
        return result

    async def _passing(self, call: Call, started: float, stream: Streaming) -> Result:
        """The result, which is recorded as it passes."""
        try:
            _released(call)
        except Forbidden:
            await stream.aclose()
            raise
        return Body(b"", stream=Passing(stream, partial(self._passed, call, started)))

    async def _passed(
        self, call: Call, started: float, stream: Streaming
    ) -> AsyncGenerator[bytes, None]:
        """Its pieces. The last one, without which it is nothing, waits for the outcome."""
        content = (call.principal.identity, call.id, "outcome", "result")
        passed, last = Passed(self._ledger.committing(*content)), b""
        try:
            async with aclosing(stream.chunks()) as pieces:
                async for piece in pieces:
                    if last:
                        passed.take(last)
                        yield last
                    last = piece
        except BaseException as error:
            await self._broken(call, started, error, passed)
            raise
        passed.take(last)
        passed.whole = True
        outcome = "error" if stream.failed else "ok"
        await self._ended(call, outcome, started, EMPTY, passed)
        yield last

    async def _broken(
        self, call: Call, started: float, error: BaseException, passed: Passed | None = None
    ) -> None:
        """Records a call that ends without its answer, or without all of it."""
        if isinstance(error, Refusal):
            await self._failed(call, error.recorded, started, passed)
        elif isinstance(error, asyncio.CancelledError | GeneratorExit):
            await self._cancelled(call, started, passed)
        elif isinstance(error, Exception):
            log.error("call %s failed inside the gateway", call.id, exc_info=error)
            await self._failed(call, "failed", started, passed)

    async def _ended(
        self,
        call: Call,
        outcome: str,
        started: float,
        result: Body,
        passed: Passed | None = None,
    ) -> None:
        # What wraps it holds the call, which holds what wraps it: a circle for the collector.
        call.notify = silent
        seconds = self._clock() - started
        if call.children:
            call.receipt = await self._asked(call, outcome, seconds, result)
        else:
            entry = _outcome(call, outcome, seconds, result, passed)
            call.receipt = await self._ledger.append(entry)
        for observer in self._observers:
            observer.ended(call, outcome, seconds)

    async def _asked(self, call: Call, outcome: str, seconds: float, result: Body) -> Receipt:
        """Writes the questions before the outcome, in the same flush: those of a task once."""
        fresh = self._shown.fresh(call)
        if before := len(call.children) - len(fresh):
            call.facts["asked_before"] = before
        entries = [*map(_question, fresh), _outcome(call, outcome, seconds, result, None)]
        receipts = await asyncio.gather(*map(self._ledger.append, entries))
        self._shown.recorded(call, fresh)
        return receipts[-1]

    async def _failed(
        self, call: Call, outcome: str, started: float, passed: Passed | None
    ) -> None:
        """Of a call without an answer nothing goes on waiting.

        What it was to answer does, for another attempt, unless the rules let nobody answer.
        """
        try:
            await self._ended(call, outcome, started, EMPTY, passed)
        finally:
            if call.resumed.park and _denied(call):
                self._parking.end(call.resumed.park, "denied")
            if call.parked is not None:
                await given_up(call.parked, ABANDONED_BOUND)

    async def _cancelled(self, call: Call, started: float, passed: Passed | None) -> None:
        """The caller is gone; its record is not. Shielded, since the task is being cancelled."""
        writing = asyncio.ensure_future(self._failed(call, "cancelled", started, passed))
        writing.add_done_callback(_looked_at)
        await asyncio.wait({writing}, timeout=CANCELLED_BOUND)

    async def _waits(  # what it ended with
        self, call: Call, parked: Parked, outcome: str, started: float, result: Body
    ) -> None:
        """Nothing waits for an answer that is not on the record; from there on it is kept."""
        try:
            await self._ended(call, outcome, started, result)
        except BaseException:
            await given_up(parked, ABANDONED_BOUND)
            raise
        self._parking.keep(call, parked)


def _looked_at(writing: asyncio.Future[None]) -> None:
    """Who would be told is gone."""
    if not writing.cancelled() and (error := writing.exception()):
        log.warning("a cancelled call could not be recorded: %r", error)


def _gated(call: Call) -> Callable[[Body], Any]:
    deliver = call.notify

    async def gate(message: Body) -> None:
        """Lets a message of the upstream's out once nothing is owed on the result side."""
        _released(call)
        await deliver(message)

    return gate


def _released(call: Call) -> None:
    if owed := call.outstanding("result"):
        raise Forbidden("owed before the answer: " + ", ".join(sorted(map(str, owed))))


def _denied(call: Call) -> bool:
    return call.decision is not UNDECIDED and not call.decision.allowed


def _is_error(result: Result) -> bool:
    return result.failed or (b'"isError"' in result.raw and result.view().get("isError") is True)


def _word(call: Call, result: Result) -> str:
    """How a call ended that has an answer."""
    asked = result.asked
    if asked is None or call.method in TASKS:
        return "error" if _is_error(result) else "ok"
    return "input_required" if asked.questions or asked.state or asked.parked else "task"


def _question(child: Call) -> Entry:
    """A question of an upstream's, as it was decided: never an answer, and never its own call."""
    body = describe.own(child) | child.facts
    content = {"params": child.params.raw}
    identity = child.principal.identity
    return Entry("asked", child.id, identity, body, content, describe.common(child))


def _outcome(
    call: Call, outcome: str, seconds: float, result: Body, passed: Passed | None
) -> Entry:
    body = describe.own(call)
    body["outcome"] = outcome
    body["micros"] = int(seconds * 1e6)
    body["attempts"] = call.attempts
    body["bytes_out"] = len(result) if result is not EMPTY else 0
    body |= call.facts
    content = {"result": result.raw} if result is not EMPTY else {}
    if call.intent is UNWRITTEN:
        described = describe.common(call)
        content["params"] = call.params.raw
    else:
        described = call.described
        body["intent"] = call.intent.index
    committed = None
    if passed is not None:
        body["bytes_out"], body["streamed"], committed = passed.size, True, passed.committed
    return Entry("outcome", call.id, call.principal.identity, body, content, described, committed)
