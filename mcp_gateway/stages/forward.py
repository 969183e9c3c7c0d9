"""Forward: looks once more, writes the intent, and sends."""

from typing import ClassVar

from mcp_gateway.core import describe, ports
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call, Next
from mcp_gateway.core.entry import UNWRITTEN, Entry
from mcp_gateway.core.errors import Forbidden


class Forward:
    """The only stage that reaches an upstream. One intent, however often it is called."""

    needs: ClassVar = frozenset({"target", "decision", "approval", "credential", "resumed"})
    sets: ClassVar = frozenset({"intent", "described", "attempts", "parked"})

    def __init__(self, ledger: ports.Ledger, parking: ports.Parking) -> None:
        self._ledger = ledger
        self._parking = parking

    async def __call__(self, call: Call, call_next: Next) -> Result:  # noqa: ARG002  # the last one
        if not call.decision.allowed:
            raise Forbidden(call.decision.reason)
        if owed := call.outstanding("request"):
            raise Forbidden("owed before sending: " + ", ".join(sorted(map(str, owed))))
        if not call.approval.covers(call.outgoing):
            raise Forbidden("the call changed after it was approved")
        if call.intent is UNWRITTEN:
            call.described = describe.common(call)
            call.intent = await self._ledger.append(intent_of(call))
        if call.resumed.park:
            parked = self._parking.take(call)
            call.attempts += 1
            result = await parked.resume(call)
        else:
            call.attempts += 1
            result = await call.snapshot.connector(call.target).send(call)
        if result.asked is not None:
            call.parked = result.asked.parked
        return result


def intent_of(call: Call) -> Entry:
    """What is on disk before a byte leaves."""
    content = {"params": call.outgoing.raw}
    body = describe.own(call)
    return Entry("intent", call.id, call.principal.identity, body, content, call.described)
