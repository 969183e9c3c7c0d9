"""Parking: upstream requests that stay open until what they asked is answered."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from mcp_gateway.core import describe, ports
from mcp_gateway.core.asking import Fate, Parked, given_up
from mcp_gateway.core.body import EMPTY
from mcp_gateway.core.call import Call
from mcp_gateway.core.credential import Shown
from mcp_gateway.core.entry import Common, Entry
from mcp_gateway.core.errors import QuestionExpired, Refusal
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import Current, Snapshot
from mcp_gateway.core.target import Target

MOST: Final = 1000
MOST_EACH: Final = 32
"""Of one principal."""
EVERY: Final = 5.0
"""Seconds between two looks for what was never answered."""
BOUND: Final = 5.0
"""Seconds for telling an upstream."""
_Owner = tuple[str, str]
Why = Literal[
    "unanswered", "cancelled", "refused", "denied", "revoked", "lost", "stopped", "displaced"
]
_TAKEN_BACK: Final[Mapping[Fate, str]] = {"taken_back": "cancelled", "answered": "answered"}
"""What an upstream did that takes its question back: it said so, or answered the call."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Place:
    """What waits, and what its entries will say. The call itself is not held.

    `asked` are the questions, each with the id that it has in the record.
    """

    id: str
    principal: Principal
    method: str
    target: Target
    parent: str
    described: Common
    asked: tuple[tuple[str, Common], ...]
    parked: Parked
    until: float
    shown: Shown

    @property
    def owner(self) -> _Owner:
        return self.principal.tenant, self.principal.identity

    def stands(self, snapshot: Snapshot) -> bool:
        """Whether the call that asked would be let through again."""
        asking = Call(
            id=self.id,
            method=self.method,
            params=EMPTY,
            principal=self.principal,
            snapshot=snapshot,
        )
        asking.target = self.target
        return (
            self.target.server in snapshot.upstreams
            and self.target.requires <= self.principal.scopes
            and snapshot.policy.decide(asking).allowed
        )


class Parking:
    """Implements `ports.Parking`. `wait` says how many seconds an answer may take."""

    def __init__(
        self,
        ledger: ports.Ledger,
        wait: Callable[[], float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger = ledger
        self._wait = wait
        self._clock = clock
        self._places: dict[str, _Place] = {}
        # Owned here: each is over when what it watches is.
        self._watching: dict[str, asyncio.Task[None]] = {}
        # Kept here, and waited for in aclose.
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._places)

    def keep(self, call: Call, parked: Parked) -> None:
        """From here on it waits. Somebody with many loses their oldest."""
        place = _Place(
            call.id,
            call.principal,
            call.method,
            call.target,
            call.resumed.parent or call.parent,
            describe.common(call),
            tuple((child.id, describe.common(child)) for child in call.children),
            parked,
            self._clock() + self._wait(),
            call.shown,
        )
        if self._closed:
            self._leave(place, "stopped")
            return
        self._make_room(place.owner)
        self._places[call.id] = place
        watching = asyncio.get_running_loop().create_task(self._watch(place))
        self._watching[call.id] = watching

    def take(self, call: Call) -> Parked:
        place = self._gone(call.resumed.park)
        if place is None:
            raise QuestionExpired
        if place.until <= self._clock():
            self._leave(place, "unanswered")
            raise QuestionExpired
        return place.parked

    def end(self, call: str, why: Why) -> None:
        """Cancels what waits for the answer to this call; nothing where nothing does."""
        if place := self._gone(call):
            self._leave(place, why)

    async def unasked(self, call: str) -> None:
        """Waits until nobody has to answer what this call's upstream asked."""
        if watching := self._watching.get(call):
            await asyncio.wait({watching})

    def look_again(self, current: Current, revoked: Callable[[Shown], bool]) -> None:
        """After a swap: ends what its caller could not begin any more.

        `revoked` says of what they showed whether it was taken back.
        """
        for place in list(self._places.values()):
            snapshot = current.of(place.principal.tenant)
            if snapshot is None or revoked(place.shown) or not place.stands(snapshot):
                self.end(place.id, "revoked")

    async def expire(self) -> None:
        """Ends what nobody answered, for as long as it runs."""
        while True:
            await asyncio.sleep(EVERY)
            self.look()

    def look(self) -> None:
        """Ends what has waited too long by now."""
        now = self._clock()
        for place in [place for place in self._places.values() if place.until <= now]:
            self.end(place.id, "unanswered")

    async def aclose(self) -> None:
        """Ends all of them, and waits until their upstreams are told and the record says so."""
        self._closed = True
        for id_ in list(self._places):
            self.end(id_, "stopped")
        await asyncio.gather(*self._ending)

    def _gone(self, call: str) -> _Place | None:
        if watching := self._watching.pop(call, None):
            watching.cancel()
        return self._places.pop(call, None)

    async def _watch(self, place: _Place) -> None:
        """An answer that is there waits for its caller; of an upstream that is gone none comes."""
        fate = await place.parked.fate()
        if fate == "lost":
            self.end(place.id, "lost")
        else:
            self._soon(self._taken_back(place, _TAKEN_BACK[fate]))

    async def _taken_back(self, place: _Place, reason: str) -> None:
        who = place.principal.identity
        for question, described in place.asked:
            body = {"outcome": "taken_back", "reason": reason, "parent": place.id}
            await self._record(Entry("outcome", question, who, body, common=described))

    def _make_room(self, owner: _Owner) -> None:
        held = Counter(place.owner for place in self._places.values())
        if held[owner] >= MOST_EACH:
            self._displace(owner)
        elif len(self._places) >= MOST:
            self._displace(held.most_common(1)[0][0])

    def _displace(self, owner: _Owner) -> None:
        oldest = next(place.id for place in self._places.values() if place.owner == owner)
        self.end(oldest, "displaced")

    def _leave(self, place: _Place, why: Why) -> None:
        self._soon(self._left(place, why))

    def _soon(self, ending: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(ending)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _left(self, place: _Place, why: Why) -> None:
        await given_up(place.parked, BOUND)
        body = {"reason": why, **({"parent": place.parent} if place.parent else {})}
        who = place.principal.identity
        await self._record(Entry("expired", place.id, who, body, common=place.described))

    async def _record(self, entry: Entry) -> None:
        try:
            await self._ledger.append(entry)
        except Refusal as refusal:
            log.warning("how the wait of %s ended could not be recorded: %s", entry.call, refusal)
