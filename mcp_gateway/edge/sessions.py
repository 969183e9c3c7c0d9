"""Sessions of the initialize era: an id, bound to who began it, and what runs under it."""

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, Literal, Protocol

from mcp_gateway.config import SessionsSection
from mcp_gateway.core.asking import Declared
from mcp_gateway.core.credential import NOTHING_SHOWN, Shown
from mcp_gateway.core.principal import Principal
from mcp_gateway.edge.events import Events, Room, Trail
from mcp_gateway.edge.links import Links
from mcp_gateway.edge.questions import Questions
from mcp_gateway.wire import legacy

Why = Literal["unanswered", "cancelled", "refused"]
AT_ONCE: Final = 100
"""What is looked at before calls get their turn again."""


class Parks(Protocol):
    """Upstream requests that wait for answers."""

    def end(self, call: str, why: Why) -> None:
        """Gives up the one of a call; nothing happens where there is none."""
        ...

    async def unasked(self, call: str) -> None:
        """Waits until nobody has to answer what the upstream of this call asked."""
        ...


class NothingParked:
    """Where no upstream waits."""

    def end(self, call: str, why: Why) -> None:
        pass

    async def unasked(self, call: str) -> None:
        pass


Identity = tuple[str, ...]


def identity_of(principal: Principal) -> Identity:
    """Who it is, whatever they may do at the moment: a renewed token says the same of this."""
    who = (principal.issuer, principal.subject, principal.tenant)
    return (*who, principal.client, principal.actor, principal.mode)


@dataclass(slots=True, eq=False)
class Session:
    """`running` maps the ids of requests, as raw JSON, to their tasks."""

    id: str
    principal: Principal
    """As it was at the last request: roles and scopes may change under a session."""
    endpoint: str
    revision: str
    client: str
    began: float
    used: float
    events: Events
    shown: Shown = NOTHING_SHOWN
    """What the caller last authenticated with: a renewed token takes the place of the old one."""
    declared: Declared = field(default_factory=Declared)
    running: dict[bytes, asyncio.Task[object]] = field(default_factory=dict)
    cancelled: set[bytes] = field(default_factory=set)
    questions: Questions = field(default_factory=Questions)
    links: Links = field(default_factory=Links)
    channel: Trail | None = None
    """The stream that a client opens by GET, once it did."""
    uris: set[str] = field(default_factory=set)
    """The resources that it subscribed to; `altered` is called when they change."""
    altered: Callable[[], None] | None = None

    @property
    def busy(self) -> bool:
        """Whether something is under way in it, so that it is not idle."""
        return bool(self.running) or bool(self.channel and self.channel.follower)

    @property
    def latest(self) -> bool:
        """Whether it is of 2025-11-25, whose clients know streams that are closed to be polled."""
        return self.revision == legacy.LATEST

    @property
    def resumes(self) -> bool:
        """Whether its clients know of streams that are taken up again: 2024-11-05 has none."""
        return self.revision != legacy.OLDEST

    def cancel(self, request: bytes) -> None:
        """Cancels a request that still runs; one that does not is none of our business."""
        if task := self.running.get(request):
            self.cancelled.add(request)
            task.cancel()

    def set_level(self, level: str) -> None:
        self.declared = replace(self.declared, level=level)

    def subscribe(self, uri: str, *, wanted: bool) -> None:
        before = len(self.uris)
        (self.uris.add if wanted else self.uris.discard)(uri)
        if self.altered and len(self.uris) != before:
            self.altered()

    def say(self, message: bytes) -> None:
        """Says a notification on the stream that the client opened by GET, if it did."""
        if self.channel:
            self.events.add(self.channel, message)


class Sessions:
    """Possession of an id is not authentication: the identity of the caller is compared."""

    def __init__(
        self,
        settings: SessionsSection | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`settings` may be replaced while sessions are open."""
        self.settings = settings or SessionsSection()
        self.parks: Parks = NothingParked()
        self._clock = clock
        self._open: OrderedDict[str, Session] = OrderedDict()
        self._of: dict[Identity, dict[str, Session]] = {}
        self._room = Room()

    def __len__(self) -> int:
        return len(self._open)

    def begin(
        self,
        principal: Principal,
        endpoint: str,
        revision: str,
        client: str,
        shown: Shown = NOTHING_SHOWN,
    ) -> Session:
        """A new session; the one that was idle longest makes room when there are too many."""
        now = self._clock()
        self._make_room(now)
        own = self._of.setdefault(identity_of(principal), {})
        if len(own) >= self.settings.each:
            self.end(min(own.values(), key=lambda session: session.used))
            own = self._of.setdefault(identity_of(principal), {})
        id_ = secrets.token_urlsafe(24)
        events = Events(self._room, self.settings.events)
        session = Session(id_, principal, endpoint, revision, client, now, now, events, shown)
        self._open[id_] = own[id_] = session
        return session

    def find(
        self, id_: str, principal: Principal, endpoint: str, authorization: bytes = b""
    ) -> Session | None:
        """The session, if it is this principal's at this endpoint and still open.

        `authorization` is what they showed, as it was written.
        """
        session = self._open.get(id_)
        if session is None or session.endpoint != endpoint:
            return None
        if session.principal is not principal:
            if identity_of(session.principal) != identity_of(principal):
                return None
            session.principal = principal
            session.shown = Shown(authorization, session.shown.path)
        now = self._clock()
        if self._over(session, now):
            self.end(session)
            return None
        session.used = now
        self._open.move_to_end(id_)
        return session

    def end(self, session: Session) -> None:
        self._open.pop(session.id, None)
        identity = identity_of(session.principal)
        own = self._of.get(identity, {})
        own.pop(session.id, None)
        if not own:
            self._of.pop(identity, None)
        session.events.close()
        for link in session.links.clear():
            self.parks.end(link.call, "cancelled")
        for request in list(session.running):
            session.cancel(request)

    async def look_again(self, revoked: Callable[[Shown], bool]) -> None:
        """Ends the sessions of who was let in and would not be now, the idle ones too.

        One whose token has expired waits for a new one, as long as it may be idle.
        """
        for number, session in enumerate(list(self._open.values())):
            if number % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)
            if session.id in self._open and revoked(session.shown):
                self.end(session)

    def opened(self, address: Callable[[str], bool]) -> None:
        """What these addresses were for is done: who waits to call again is told."""
        for session in self._open.values():
            for link in session.links.opened(address):
                for note in link.completed():
                    session.say(note)

    def close_channels(self) -> None:
        """Lets go who listens by GET, when the gateway stops: they would wait for ever."""
        for session in self._open.values():
            if session.channel:
                session.channel.end()

    def _over(self, session: Session, now: float) -> bool:
        idle = now - session.used >= self.settings.idle and not session.busy
        return idle or now - session.began >= self.settings.age

    def _make_room(self, now: float) -> None:
        """Ends what is over, and where that is not enough what was idle longest."""
        for _ in range(len(self._open)):
            oldest = next(iter(self._open.values()))
            full = len(self._open) >= self.settings.most
            if not full and now - oldest.used < self.settings.idle:
                return
            if full or self._over(oldest, now):
                self.end(oldest)
            else:  # busy, which is not idle
                oldest.used = now
                self._open.move_to_end(oldest.id)
