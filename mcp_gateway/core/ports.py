"""The protocols that the outside implements. Refer to them through the module: `ports.Guard`."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol, runtime_checkable

from mcp_gateway.core.asking import Offered, Parked, Resumed
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call, Next
from mcp_gateway.core.change import Change, Interest
from mcp_gateway.core.credential import Credential, CredentialRefused
from mcp_gateway.core.decision import Decision, Prospect
from mcp_gateway.core.entry import Entry, Receipt
from mcp_gateway.core.errors import Refusal
from mcp_gateway.core.target import Definition, Target

Channel = Literal["arguments", "result", "description", "skill"]


class Stage(Protocol):
    """One step around the rest of the chain."""

    needs: ClassVar[frozenset[str]]
    sets: ClassVar[frozenset[str]]

    async def __call__(self, call: Call, call_next: Next) -> Result: ...


class Connector(Protocol):
    """The code that reaches one upstream."""

    async def discover(self, credential: Credential) -> Sequence[Definition]:
        """Everything that the upstream lists. Raises UpstreamFailed, UpstreamTimedOut."""
        ...

    async def send(self, call: Call) -> Result:
        """Sends `call.outgoing` to `call.target`, and returns the upstream's answer.

        Raises UpstreamFailed, UpstreamTimedOut, ResultTooLarge, CredentialRefused. Cancelling
        it cancels the upstream's request.
        """
        ...

    async def aclose(self) -> None: ...


@runtime_checkable
class Offering(Protocol):
    """A connector whose upstream says what it can do. Looked for when its server is taken."""

    @property
    def offered(self) -> Offered:
        """NOT_OFFERED until somebody asked it."""
        ...


@runtime_checkable
class Attending(Protocol):
    """A connector whose upstream says by itself that something changed."""

    async def attend(
        self, credential: Credential, interest: Interest, announce: Callable[[Change], None]
    ) -> None:
        """Listens until cancelled. Raises as `send`; NotImplementedError when it never will."""
        ...


class Handles(Protocol):
    """What crosses to a caller and comes back: sealed, and bound to who got it."""

    def open(self, call: Call) -> Resumed:
        """What the request continues. Raises InvalidState, QuestionExpired."""
        ...

    def seal(self, call: Call, result: Result) -> Result:
        """The result with its state and task ids sealed."""
        ...


class Parking(Protocol):
    """Where upstream requests wait for answers, by the id of the call that asked."""

    def keep(self, call: Call, parked: Parked) -> None: ...

    def take(self, call: Call) -> Parked:
        """What `call.resumed.park` names, once. Raises QuestionExpired."""
        ...

    def end(self, call: str, why: Literal["denied"]) -> None:
        """Gives up what waits for the answer to this call, if it still does."""
        ...


class Policy(Protocol):
    """The rules, compiled."""

    @property
    def digest(self) -> str: ...

    def decide(self, call: Call) -> Decision: ...

    def prospect(self, call: Call, target: Target) -> Prospect:
        """What would be decided for this target, before its arguments are known."""
        ...


class Limiter(Protocol):
    """Counters."""

    def hold(self, call: Call) -> AbstractAsyncContextManager[None]:
        """Charges the call on entry. Entering raises Throttled."""
        ...


@dataclass(frozen=True, slots=True)
class Leaf:
    """One string of a JSON value; `path` is an RFC 6901 pointer. Keys are leaves too."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What a guard saw. `label` is a class ("credential"), `rule` which of its rules fired."""

    label: str
    rule: str
    path: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """A guard's look at content. No findings is a clean bill, as far as this guard can see."""

    findings: tuple[Finding, ...] = ()


class Guard(Protocol):
    """Looks at content, and never changes it."""

    def clears(self, raw: bytes) -> bool:
        """Whether this JSON, undecoded, certainly holds nothing that the guard would find."""
        ...

    async def inspect(self, call: Call, channel: Channel, leaves: Sequence[Leaf]) -> Verdict: ...


class Broker(Protocol):
    """Obtains the credential for an upstream."""

    async def credential(self, call: Call) -> Credential:
        """The least that the target needs. Raises ConsentRequired, UpstreamFailed."""
        ...

    async def renewed(self, call: Call, refused: CredentialRefused) -> Credential:
        """The upstream refused the last one. Raises as `credential`, also without another."""
        ...

    async def ended(self, call: Call, refused: CredentialRefused) -> Refusal:
        """What the call ends with when the upstream refused the renewed one too."""
        ...


class Committing(Protocol):
    """A commitment to content that is never held."""

    def update(self, data: bytes, /) -> None:
        """The next piece."""

    def hexdigest(self) -> str:
        """The commitment to all pieces so far, for `Entry.committed`."""
        ...


class Ledger(Protocol):
    """The record."""

    def append(self, entry: Entry) -> Awaitable[Receipt]:
        """Resolves once the entry is as durable as configured.

        Raises Overloaded, at once or when awaited, if it cannot be made so.
        """
        ...

    def committing(self, subject: str, call: str, kind: str, path: str) -> Committing:
        """Begins the commitment that an entry of this call and kind has at this path."""
        ...


class Observer(Protocol):
    """Follows calls for metrics and traces. It cannot slow, change or fail one."""

    def ended(self, call: Call, outcome: str, seconds: float) -> None: ...
