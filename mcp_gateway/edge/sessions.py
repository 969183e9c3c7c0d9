"""Sessions of the initialize era: an id, bound to who began it, and what runs under it."""

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from mcp_gateway.core.principal import Principal

MOST: Final = 10_000
MOST_EACH: Final = 100
"""Sessions of one principal: whoever opens more loses the oldest of their own."""
IDLE: Final = 1800.0
"""Seconds after which a session that was not used is forgotten."""


@dataclass(slots=True)
class Session:
    """`running` maps the ids of requests, as raw JSON, to their tasks."""

    id: str
    principal: Principal
    endpoint: str
    revision: str
    client: str
    used: float
    running: dict[bytes, asyncio.Task[object]] = field(default_factory=dict)
    cancelled: set[bytes] = field(default_factory=set)

    def cancel(self, request: bytes) -> None:
        """Cancels a request that still runs; one that does not is none of our business."""
        if task := self.running.get(request):
            self.cancelled.add(request)
            task.cancel()


class Sessions:
    """Possession of an id is not authentication: every field of the principal is compared."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._open: OrderedDict[str, Session] = OrderedDict()

    def begin(self, principal: Principal, endpoint: str, revision: str, client: str) -> Session:
        """A new session; the one that was idle longest makes room when there are too many."""
        now = self._clock()
        while self._open:
            oldest = next(iter(self._open.values()))
            if len(self._open) < MOST and now - oldest.used < IDLE:
                break
            self._open.popitem(last=False)
        own = [session for session in self._open.values() if session.principal == principal]
        if len(own) >= MOST_EACH:
            self.end(own[0])
        session = Session(secrets.token_urlsafe(24), principal, endpoint, revision, client, now)
        self._open[session.id] = session
        return session

    def find(self, id_: str, principal: Principal, endpoint: str) -> Session | None:
        """The session, if it is this principal's at this endpoint and still open."""
        session = self._open.get(id_)
        if session is None or session.principal != principal or session.endpoint != endpoint:
            return None
        now = self._clock()
        if now - session.used > IDLE:
            del self._open[id_]
            return None
        session.used = now
        self._open.move_to_end(id_)
        return session

    def end(self, session: Session) -> None:
        self._open.pop(session.id, None)
        for request in list(session.running):
            session.cancel(request)
