"""Fakes of the ports: what the outside does in tests, with what it was asked kept for a look."""

# ruff: noqa: ARG002  # a fake keeps the signature of its port

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from mcp_gateway.core import ports
from mcp_gateway.core.asking import NOT_OFFERED, Asked, Fate, Offered, Parked, Question, Resumed
from mcp_gateway.core.body import Body, Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.credential import NONE, Credential, CredentialRefused
from mcp_gateway.core.decision import Decision, Effect, Obligation, Prospect
from mcp_gateway.core.entry import Entry, Receipt
from mcp_gateway.core.errors import (
    InvalidState,
    Overloaded,
    QuestionExpired,
    Refusal,
    ResultTooLarge,
    Throttled,
    UpstreamFailed,
)
from mcp_gateway.core.target import Definition, Target
from mcp_gateway.ledger.commitment import Commitments
from mcp_gateway.ledger.line import line

ALLOWED = Decision(Effect.ALLOW, rule="all", reason="everything is allowed", named=True)
DENIED = Decision(Effect.DENY, rule="no-delete", reason="the rule no-delete says so", named=True)
HIDDEN = Decision(Effect.DENY, rule="", reason="no rule allows it")


@dataclass
class FakeLedger:
    """Keeps entries in memory, those that the ledger's format takes.

    It refuses every kind in `broken`, as a full disk would.
    """

    broken: set[str] = field(default_factory=set)
    entries: list[Entry] = field(default_factory=list)

    def append(self, entry: Entry) -> Awaitable[Receipt]:
        return self._written(entry)

    def committing(self, subject: str, call: str, kind: str, path: str) -> ports.Committing:
        return hashlib.sha256()

    async def _written(self, entry: Entry) -> Receipt:
        await asyncio.sleep(0)
        line(entry, "log", len(self.entries), 0, Commitments(bytes(32)))
        if entry.kind in self.broken:
            raise Overloaded("the ledger cannot be written")
        self.entries.append(entry)
        return Receipt("log", len(self.entries) - 1)

    @property
    def kinds(self) -> list[str]:
        return [entry.kind for entry in self.entries]

    @property
    def last(self) -> Entry:
        return self.entries[-1]


@dataclass
class FakePolicy:
    """Answers every call alike: `allow all` unless it is given another decision.

    `prospects` names what a target's text would come to, else what `decision` says.
    """

    decision: Decision = ALLOWED
    prospects: Mapping[str, Prospect] = field(default_factory=dict)
    digest: str = "sha256:policy"

    def decide(self, call: Call) -> Decision:
        return self.decision

    def prospect(self, call: Call, target: Target) -> Prospect:
        return self.prospects.get(str(target), "allow" if self.decision.allowed else "deny")


def allowing(*obligations: Obligation) -> FakePolicy:
    """A policy that allows everything, and owes these."""
    return FakePolicy(
        Decision(Effect.ALLOW, "all", "everything is allowed", frozenset(obligations), named=True)
    )


@dataclass
class FakeConnector:
    """Answers with `answer`, after saying `messages`; refuses the first `unauthorised` times."""

    answer: Result = field(default_factory=lambda: Body(b'{"content":[]}'))
    messages: Sequence[Body] = ()
    unauthorised: int = 0
    refusal: BaseException | None = None
    hangs: bool = False
    received: list[bytes] = field(default_factory=list)
    shown: list[Credential] = field(default_factory=list)
    closed: bool = False
    offered: Offered = NOT_OFFERED

    async def discover(self, credential: Credential) -> Sequence[Definition]:
        return ()

    async def send(self, call: Call) -> Result:
        self.received.append(call.outgoing.raw)
        self.shown.append(call.credential)
        if len(self.received) <= self.unauthorised:
            raise CredentialRefused
        if self.refusal is not None:
            raise self.refusal
        for message in self.messages:
            await call.notify(message)
        if self.hangs:
            await asyncio.Event().wait()
        return self.answer

    async def aclose(self) -> None:
        self.closed = True


WHO = Question("elicitation/create", b'{"message":"Who are you?","mode":"form"}')
ASKING = (
    b'{"resultType":"input_required","inputRequests":{"who":{"method":"elicitation/create",'
    b'"params":{"message":"Who are you?","mode":"form"}}}}'
)


def asking(parked: Parked | None = None, *, raw: bytes = ASKING, **questions: Question) -> Result:
    """A result that asks: who the caller is, unless other questions are given."""
    return Body(raw, asked=Asked(questions or {"who": WHO}, parked=parked))


@dataclass
class FakeParked:
    """Answers with `answer` when it is resumed; counts how often it was abandoned."""

    answer: Result = field(default_factory=lambda: Body(b'{"content":[]}'))
    refusal: BaseException | None = None
    hangs: bool = False
    resumed: list[bytes] = field(default_factory=list)
    abandoned: int = 0
    became: Fate = "open"
    decided: asyncio.Event = field(default_factory=asyncio.Event)

    def becomes(self, fate: Fate) -> None:
        """The upstream waits for the answer no more."""
        self.became = fate
        self.decided.set()

    async def fate(self) -> Fate:
        await self.decided.wait()
        return self.became

    async def resume(self, call: Call) -> Result:
        self.resumed.append(call.outgoing.raw)
        if self.refusal is not None:
            raise self.refusal
        if self.hangs:
            await asyncio.Event().wait()
        return self.answer

    async def abandon(self) -> None:
        await asyncio.sleep(0)
        self.abandoned += 1


@dataclass
class FakeHandles:
    """Seals by writing `sealed:` before a state, and opens what begins so."""

    resumed: Resumed = field(default_factory=lambda: Resumed(parent="c-0", server="github"))
    sealed: list[str] = field(default_factory=list)

    def open(self, call: Call) -> Resumed:
        given = str(call.params.view().get("requestState"))
        if not given.startswith("sealed:"):
            raise InvalidState
        return self.resumed

    def seal(self, call: Call, result: Result) -> Result:
        self.sealed.append(call.id)
        view = {**result.view(), "requestState": f"sealed:{call.id}"}
        return Body(json.dumps(view).encode(), asked=result.asked)


@dataclass
class FakeParking:
    """Keeps what is parked, by the id of its call."""

    kept: dict[str, Parked] = field(default_factory=dict)
    ended: list[tuple[str, str]] = field(default_factory=list)

    def keep(self, call: Call, parked: Parked) -> None:
        self.kept[call.id] = parked

    def take(self, call: Call) -> Parked:
        if call.resumed.park not in self.kept:
            raise QuestionExpired
        return self.kept.pop(call.resumed.park)

    def end(self, call: str, why: str) -> None:
        self.ended.append((call, why))


@dataclass
class FakeStream:
    """A result in these pieces; `breaks` comes after them. Counts how often it was closed."""

    pieces: Sequence[bytes]
    breaks: BaseException | None = None
    failed: bool = False
    given: int = 0
    held: int = 0
    closed: int = 0

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        try:
            for piece in self.pieces:
                await asyncio.sleep(0)
                self.given += 1
                yield piece
            if self.breaks is not None:
                raise self.breaks
        finally:
            await self.aclose()

    async def whole(self, most: int) -> bytes:
        made = b"".join(self.pieces)
        self.held += 1
        if len(made) > most:
            raise ResultTooLarge(f"more than {most} bytes")
        return made

    async def aclose(self) -> None:
        self.closed += 1


@dataclass
class FakeLimiter:
    """Counts who is inside. With `full` nobody gets in."""

    full: bool = False
    held: list[str] = field(default_factory=list)
    entered: int = 0

    @asynccontextmanager
    async def hold(self, call: Call) -> AsyncIterator[None]:
        if self.full:
            raise Throttled("over the limit 60/minute", retry_after=1.5)
        self.entered += 1
        self.held.append(call.id)
        try:
            yield
        finally:
            self.held.remove(call.id)


@dataclass
class FakeBroker:
    """Gives out numbered credentials: `key-1` first, `key-2` when it is asked to renew."""

    refusal: Refusal | None = None
    given: int = 0

    async def credential(self, call: Call) -> Credential:
        return self._next(call)

    async def renewed(self, call: Call, refused: CredentialRefused) -> Credential:
        return self._next(call)

    async def ended(self, call: Call, refused: CredentialRefused) -> Refusal:
        return UpstreamFailed(f"{call.target.server} refuses the gateway's credential")

    def _next(self, call: Call) -> Credential:
        if self.refusal is not None:
            raise self.refusal
        self.given += 1
        headers = (("authorization", f"Bearer key-{self.given}"),)
        return Credential(f"static:{call.target.server}", headers)


@dataclass
class FakeGuard:
    """Finds `label` in every leaf that holds one of `words`; `hangs` never answers."""

    words: Iterable[str] = ()
    label: str = "credential"
    hangs: bool = False
    looked_at: list[tuple[str, str]] = field(default_factory=list)

    def clears(self, raw: bytes) -> bool:
        return not (self.hangs or any(word.encode() in raw for word in self.words))

    async def inspect(
        self, call: Call, channel: ports.Channel, leaves: Sequence[ports.Leaf]
    ) -> ports.Verdict:
        if self.hangs:
            await asyncio.Event().wait()
        self.looked_at.extend((channel, leaf.text) for leaf in leaves)
        hits = [leaf for leaf in leaves if any(word in leaf.text for word in self.words)]
        return ports.Verdict(tuple(ports.Finding(self.label, "fake", hit.path) for hit in hits))


@dataclass
class FakeObserver:
    """Remembers what ended how."""

    seen: list[tuple[str, str, float]] = field(default_factory=list)

    def ended(self, call: Call, outcome: str, seconds: float) -> None:
        self.seen.append((call.id, outcome, seconds))


async def shows_nothing() -> Credential:
    """What a server without a grant is shown when the gateway itself asks it."""
    return NONE
