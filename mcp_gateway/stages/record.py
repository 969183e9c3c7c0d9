"""Record: outermost. Every call ends in the ledger, and nothing leaves before it does."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

from mcp_gateway.core import describe, ports
from mcp_gateway.core.body import EMPTY, Body, Result
from mcp_gateway.core.call import Call, Next, silent
from mcp_gateway.core.decision import RECORD
from mcp_gateway.core.entry import UNWRITTEN, Entry
from mcp_gateway.core.errors import Forbidden, Refusal

CANCELLED_BOUND: Final = 5.0
"""Seconds that a cancelled call may take to be recorded."""

log = logging.getLogger(__name__)


class Record:
    """Writes the outcome, and gates what the upstream says until it has been looked at."""

    needs: ClassVar = frozenset({"principal", "snapshot"})
    sets: ClassVar = frozenset({"notify", "receipt"})

    def __init__(
        self,
        ledger: ports.Ledger,
        observers: Sequence[ports.Observer] = (),
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._ledger = ledger
        self._observers = observers
        self._clock = clock

    async def __call__(self, call: Call, call_next: Next) -> Result:
        started = self._clock()
        call.discharged.add(RECORD)
        call.notify = _gated(call)
        try:
            result = await call_next(call)
            _released(call)
            outcome = "error" if _is_error(result) else "ok"
        except Refusal as refusal:
            await self._ended(call, refusal.recorded, started, EMPTY)
            raise
        except asyncio.CancelledError:
            await self._cancelled(call, started)
            raise
        except Exception:
            log.exception("call %s failed inside the gateway", call.id)
            await self._ended(call, "failed", started, EMPTY)
            raise
        await self._ended(call, outcome, started, result)
        return result

    async def _ended(self, call: Call, outcome: str, started: float, result: Body) -> None:
        # What wraps it holds the call, which holds what wraps it: a circle for the collector.
        call.notify = silent
        seconds = self._clock() - started
        call.receipt = await self._ledger.append(_outcome(call, outcome, seconds, result))
        for observer in self._observers:
            observer.ended(call, outcome, seconds)

    async def _cancelled(self, call: Call, started: float) -> None:
        """The caller is gone; its record is not. Shielded, since the task is being cancelled."""
        writing = asyncio.ensure_future(self._ended(call, "cancelled", started, EMPTY))
        await asyncio.wait({writing}, timeout=CANCELLED_BOUND)


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


def _is_error(result: Result) -> bool:
    return result.failed or (b'"isError"' in result.raw and result.view().get("isError") is True)


def _outcome(call: Call, outcome: str, seconds: float, result: Body) -> Entry:
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
    return Entry("outcome", call.id, call.principal.identity, body, content, described)
