"""Asking: what an upstream wants to know before it answers, and what an answer continues."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from mcp_gateway.core.body import Result
    from mcp_gateway.core.call import Call

QUESTIONS: Final[Mapping[str, str]] = {
    "elicitation/create": "elicitation",
    "sampling/createMessage": "sampling",
    "roots/list": "roots",
}
"""The methods by which an upstream asks, and the capability of a client that can answer."""
ASKING: Final = frozenset({"tools/call", "prompts/get", "resources/read"})
"""The methods whose result may ask (2026-07-28, patterns/mrtr)."""
TASKS: Final = frozenset({"tasks/get", "tasks/update", "tasks/cancel"})
"""The methods that name a task, which an upstream began before."""


Fate = Literal["open", "taken_back", "answered", "lost"]
"""What has become of a question: its upstream waits for the answer, asks it no more, has answered
the call without it, or cannot be reached any more."""


class Parked(Protocol):
    """An upstream's request that stays open until what it asked is answered."""

    async def resume(self, call: "Call") -> "Result":
        """Answers with the `inputResponses` of `call.outgoing` and reads on, once.

        What the upstream does not wait for is not said: its answer, if it is there, is the result.
        Raises as `ports.Connector.send` does, and QuestionExpired for an answer to what has been
        taken back. Cancelling it cancels the upstream's request.
        """
        ...

    async def fate(self) -> Fate:
        """Waits until the question is open no more, and returns why; not of what was resumed."""
        ...

    async def abandon(self) -> None:
        """Cancels the upstream's request. May be called again, and after `resume`."""
        ...


async def given_up(parked: Parked, bound: float) -> None:
    """Abandons it: shielded, since the task may be being cancelled, and for `bound` seconds."""
    leaving = asyncio.ensure_future(parked.abandon())
    leaving.add_done_callback(_looked_at)
    await asyncio.wait({leaving}, timeout=bound)


def _looked_at(leaving: asyncio.Future[None]) -> None:
    """How it ended is nobody's concern but the operator's."""
    if not leaving.cancelled() and (error := leaving.exception()):
        log.warning("an upstream could not be told that nobody answers it: %r", error)


@dataclass(frozen=True, slots=True)
class Question:
    """One entry of `inputRequests`. `params` is raw JSON."""

    method: str
    params: bytes = b"{}"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a result with `input_required` asks, by key.

    `state` is the upstream's own `requestState`; `parked` is what waits for the answers, None
    where the upstream forgot the call. `own` is a question of the gateway's, which no upstream
    asked and no upstream hears the answer to.
    """

    questions: Mapping[str, Question]
    state: str = ""
    parked: Parked | None = None
    own: bool = False


@dataclass(frozen=True, slots=True)
class Resumed:
    """What a request continues, from a handle that this gateway sealed and that is this caller's.

    `parent` is the call that asked, `park` the call whose upstream waits (empty when none does),
    `state` and `task` are the upstream's own; `server` and `tool` say whose they are. `round`
    counts the answers since the first call, and `free` says that this one is charged nothing. `own`
    says that the gateway itself asked: for its upstream the call is a new one.
    """

    parent: str = ""
    park: str = ""
    state: str = ""
    task: str = ""
    server: str = ""
    tool: str = ""
    round: int = 0
    free: bool = False
    own: bool = False


AFRESH: Final = Resumed()


@dataclass(frozen=True, slots=True)
class Declared:
    """What a client of the initialize era said once, for every request of its session.

    `capabilities` is the raw object; `level` the one of `logging/setLevel`, empty for none.
    """

    capabilities: bytes = b"{}"
    level: str = ""


@dataclass(frozen=True, slots=True)
class Offered:
    """What an upstream said of itself in `server/discover` or `initialize`: a claim.

    `capabilities` maps names to raw JSON. Empty for what was never asked, as for connectors that
    are no MCP.
    """

    era: str = ""
    capabilities: Mapping[str, bytes] | None = None
    instructions: str = ""


NOT_OFFERED: Final = Offered()
