"""Call: everything that crosses the boundary, from the edge to the ledger."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from mcp_gateway.core.approval import NOT_ASKED, Approval
from mcp_gateway.core.asking import AFRESH, Declared, Parked, Question, Resumed
from mcp_gateway.core.body import Body, Result
from mcp_gateway.core.credential import NONE, NOTHING_SHOWN, Credential, Shown
from mcp_gateway.core.decision import UNDECIDED, Decision, Obligation, Side
from mcp_gateway.core.entry import NOTHING, UNWRITTEN, Common, Receipt
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import Snapshot
from mcp_gateway.core.target import NOWHERE, Target

Notify = Callable[[Body], Awaitable[None]]
"""Carries a whole JSON-RPC notification of the upstream's back to who called."""


Mirrors = Callable[[], Iterable[tuple[bytes, bytes]]]
"""The headers in which a request repeats arguments (`Mcp-Param-*`), each as it came."""


async def silent(message: Body) -> None:
    """Drops a notification: nobody is listening."""


@dataclass(slots=True, kw_only=True)
class Call:
    """One request on its way through the gateway.

    The first block is set by the edge and never changes. Each field of the second is set by one
    stage, and starts at the value that refuses or adds nothing (`notify` is the edge's, gated by
    `record` and wrapped by `guard`). The third only grows.
    """

    id: str
    method: str
    params: Body
    principal: Principal
    snapshot: Snapshot
    endpoint: str = ""
    """The one server of /servers/<name>/mcp; empty at /mcp, where all of them are met."""
    parent: str = ""
    trace: str = ""
    """A W3C traceparent, empty when there is none."""
    client: str = ""
    """What the runtime says of itself (a claim, kept for the record only)."""
    mirrors: Mirrors | None = None
    """None where the protocol has no such headers: before 2026-07-28, and in operations."""

    declared: Declared | None = None
    """What the session said once; None where each request says it itself, in `_meta`."""
    shown: Shown = NOTHING_SHOWN
    """What the caller authenticated with: for who exchanges it, and to look at it again."""

    notify: Notify = silent
    target: Target = NOWHERE
    resumed: Resumed = AFRESH
    decision: Decision = UNDECIDED
    children: "tuple[Call, ...]" = ()
    """The questions of its upstream, each decided as a call of its own."""

    outgoing: Body = field(init=False)
    approval: Approval = NOT_ASKED
    credential: Credential = NONE
    intent: Receipt = UNWRITTEN
    parked: Parked | None = None
    receipt: Receipt = UNWRITTEN
    """Where the outcome stands; set by `record` when the call has ended."""

    described: Common = NOTHING
    """What the intent said in clear, for the outcome to say again."""
    attempts: int = 0
    discharged: set[Obligation] = field(default_factory=set[Obligation])
    facts: dict[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        self.outgoing = self.params

    def outstanding(self, side: Side) -> frozenset[Obligation]:
        """What is owed on this side, and no stage has discharged yet."""
        owed = self.snapshot.owed_on(side, self.target.server)
        if self.decision.obligations:
            owed = owed.union(o for o in self.decision.obligations if o.side == side)
        return owed - self.discharged


Next = Callable[[Call], Awaitable[Result]]


def child_of(call: Call, number: int, question: Question) -> Call:
    """The call that a question is: its method is the question's, its target the call's."""
    made = Call(
        id=f"{call.id}.{number}",
        method=question.method,
        params=Body(question.params),
        principal=call.principal,
        snapshot=call.snapshot,
        endpoint=call.endpoint,
        parent=call.id,
        trace=call.trace,
        client=call.client,
        shown=call.shown,
    )
    made.target = call.target
    return made
