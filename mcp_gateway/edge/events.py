"""The event store: what the streams of a session said, for whoever lost one and comes back."""

import asyncio
import re
import secrets
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

MOST_BYTES: Final = 1024 * 1024
"""Bytes that are kept of one session: its newest answer is kept even where it alone is more."""
MOST_IN_ALL: Final = 64 * 1024 * 1024
_EVENT: Final = re.compile(r"([0-9a-f]{16})-([0-9]{1,9})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Event:
    """One message of a stream; with the `last` one the stream ends."""

    trail: str
    number: int
    message: bytes
    last: bool

    @property
    def id(self) -> str:
        return f"{self.trail}-{self.number}"


def nothing() -> None:
    """Nobody has to be told."""


@dataclass(slots=True, eq=False)
class Trail:
    """One stream, whichever connections carry it. Its id cannot be guessed, nor be another's."""

    id: str = field(default_factory=lambda: secrets.token_hex(8))
    number: int = 0
    ended: bool = False
    follower: object = None
    """Who reads it now on a connection of their own; whoever comes later takes its place."""
    left: Callable[[], None] = nothing
    """Told when it is taken up elsewhere: to the connection on which it began."""
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def let_go(self) -> None:
        """Who reads it has to come back for more."""
        self.follower = None
        self.news.set()

    def end(self) -> None:
        """Nothing follows: who reads it is let go."""
        self.ended = True
        self.news.set()


class Room:
    """The memory of all event stores together. The one that nobody used longest makes room."""

    def __init__(self, most: int = MOST_IN_ALL) -> None:
        self._most = most
        self._stores: OrderedDict[Events, None] = OrderedDict()
        self.size = 0

    def take(self, store: "Events", size: int) -> None:
        self.size += size
        self._stores[store] = None
        self._stores.move_to_end(store)
        while self.size > self._most:
            next(iter(self._stores)).drop()

    def give(self, store: "Events", size: int, *, empty: bool) -> None:
        self.size -= size
        if empty:
            self._stores.pop(store, None)


class Events:
    """What the streams of one session said, oldest first out."""

    def __init__(self, room: Room, most: int) -> None:
        self._room = room
        self._most = most
        self._kept: deque[Event] = deque()
        self._size = 0
        self._trails: dict[str, Trail] = {}

    def begin(self) -> Trail:
        """A stream of its own."""
        self._prune()
        trail = Trail()
        self._trails[trail.id] = trail
        return trail

    def add(self, trail: Trail, message: bytes, *, last: bool = False) -> Event:
        trail.number += 1
        event = Event(trail.id, trail.number, message, last)
        self._kept.append(event)
        self._size += len(message)
        self._room.take(self, len(message))
        while len(self._kept) > 1 and (len(self._kept) > self._most or self._size > MOST_BYTES):
            self.drop()
        trail.ended = trail.ended or last
        trail.news.set()
        return event

    def after(self, trail: Trail, number: int) -> list[Event]:
        """What is kept of a stream after an event of it."""
        return [kept for kept in self._kept if kept.trail == trail.id and kept.number > number]

    def find(self, id_: str) -> tuple[Trail, int] | None:
        """The stream of an event's id and the event's number, if it is of this session."""
        named = _EVENT.fullmatch(id_)
        trail = self._trails.get(named[1]) if named else None
        if named is None or trail is None or int(named[2]) > trail.number:
            return None
        return trail, int(named[2])

    def drop(self) -> None:
        """Forgets what is oldest: progress first, and answers when there is nothing else."""
        older = list(self._kept)[:-1]
        at = next((n for n, event in enumerate(older) if not event.last), 0)
        event = self._kept[at]
        del self._kept[at]
        self._size -= len(event.message)
        self._room.give(self, len(event.message), empty=not self._kept)

    def close(self) -> None:
        """The session has ended: nothing is kept, and who reads on is let go."""
        while self._kept:
            self.drop()
        for trail in self._trails.values():
            trail.end()
        self._trails.clear()

    def _prune(self) -> None:
        """Forgets streams that have ended, once nothing is kept of them."""
        held = {event.trail for event in self._kept}
        for id_ in [i for i, trail in self._trails.items() if trail.ended and i not in held]:
            del self._trails[id_]
