"""Views: what each person's own list at a server shows, for as long as that holds."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final, Protocol

from mcp_gateway.core import ports
from mcp_gateway.core.call import Call
from mcp_gateway.core.credential import (
    NOTHING_SHOWN,
    Credential,
    CredentialRefused,
    Rejected,
    Shown,
)
from mcp_gateway.core.errors import ConsentRequired, Refusal
from mcp_gateway.core.grants import grant_key
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.target import Definition
from mcp_gateway.core.views import UNSEEN, View, ViewKey
from mcp_gateway.services.connections import Connections
from mcp_gateway.services.visible import personal_servers

log = logging.getLogger(__name__)
LIFE: Final = 300.0
"""Seconds for which a list is taken as it was."""
PATIENCE: Final = 5.0
"""Seconds that whoever asks for a list waits for those that are not known yet."""
BOUND: Final = 20.0
"""Seconds of one look."""
AGAIN: Final = 30.0
"""Seconds until a server is asked again of which a look failed."""
REFUSED: Final = 401
MOST: Final = 10_000
DAY: Final = 86_400
EVERY: Final = 600.0
"""Seconds between two looks for grants that nobody looked at for a day."""
AT_ONCE: Final = 100

Saw = Callable[[str, Sequence[Definition]], None]


class OfPerson(Protocol):
    """What a person shows a server outside of a call, another one than was rejected."""

    async def __call__(
        self, principal: Principal, server: str, shown: Shown, rejected: Rejected | None = None
    ) -> Credential: ...


@dataclass(frozen=True, slots=True)
class _Whose:
    """Whose list is looked at, where, and what they came with."""

    key: ViewKey
    principal: Principal
    server: str
    shown: Shown = NOTHING_SHOWN


class PersonalViews:
    """Implements `core.views.Views`.

    `connector` gives the connector of a server that runs, `saw` is told every list, so that what
    nobody has reviewed yet can be, and `changed` is called when somebody's view is another one.
    """

    def __init__(
        self,
        connections: Connections,
        of_person: OfPerson,
        connector: Callable[[str], ports.Connector | None],
        saw: Saw,
        changed: Callable[[], None],
    ) -> None:
        self._connections = connections
        self._of_person = of_person
        self._connector = connector
        self._saw = saw
        self._changed = changed
        self._views: dict[ViewKey, View] = {}
        self._troubles: dict[ViewKey, tuple[str, float]] = {}
        self._looking: dict[ViewKey, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stamps = count(1)

    def of(self, key: ViewKey) -> View:
        """The last one stands until there is another: what was seen of a server that is away too.

        What a person may do there their credential decides, and the server.
        """
        return self._views.get(key, UNSEEN)

    def trouble_of(self, key: ViewKey) -> str:
        """What was wrong when somebody looked last; empty when nothing was."""
        return self._troubles.get(key, ("", 0.0))[0]

    async def again(self, principal: Principal, server: str, *, connected: bool) -> None:
        """A consent was given, taken back or refused: what was seen holds no more."""
        key = grant_key(principal, server)
        self._views.pop(key, None)
        self._looking.pop(key, None)  # what a look under way will see is of the grant before
        if connected:
            self._troubles.pop(key, None)
            self._look(_Whose(key, principal, server))

    async def ready(self, call: Call) -> None:
        """Returns once the caller's own lists are known, or after a while."""
        principal, now = call.principal, time.time()
        looks = set()
        for upstream in personal_servers(call):
            key = upstream.whose(principal)
            failed = self._troubles.get(key, ("", 0.0))[1]
            if self.of(key).until <= now and failed + AGAIN <= now:
                looks.add(self._look(_Whose(key, principal, upstream.name, call.shown)))
        if looks:
            await asyncio.wait(looks, timeout=PATIENCE)

    async def look(self, principal: Principal, server: str) -> None:
        """Asks a server that this person connected for their list, unless somebody does already."""
        whose = _Whose(grant_key(principal, server), principal, server)
        await asyncio.wait({self._look(whose)}, timeout=BOUND)

    async def follow(self) -> None:
        """Until cancelled: each grant is looked at once a day, though nobody uses it."""
        while True:
            await asyncio.sleep(EVERY)
            await self.look_at_stale()

    async def look_at_stale(self) -> None:
        """Those that wait the longest first, one after the other."""
        before = int(time.time()) - DAY
        for tenant, issuer, subject, server in await asyncio.to_thread(
            self._connections.grants.stale, before, AT_ONCE
        ):
            await self.look(Principal(issuer, subject, tenant), server)

    async def aclose(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _look(self, whose: _Whose) -> asyncio.Task[None]:
        """One look at a time; who waits for it may go away, and it goes on."""
        task = self._looking.get(whose.key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._looked(whose))
            self._looking[whose.key] = task
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return task

    async def _looked(self, whose: _Whose) -> None:
        """Whose look was overtaken by another consent changes nothing."""
        look = asyncio.current_task()
        found: Sequence[Definition] | Exception
        try:
            async with asyncio.timeout(BOUND):
                found = await self._listed(whose)
        except (Refusal, CredentialRefused, OSError, ValueError) as failure:
            found = failure
        except Exception as failure:  # a supervisor: whatever it is, it costs this view only
            log.exception("the list of somebody at %s could not be looked at", whose.server)
            found = failure
        if self._looking.get(whose.key) is look:
            del self._looking[whose.key]
            await self._ended(whose, found)

    async def _ended(self, whose: _Whose, found: Sequence[Definition] | Exception) -> None:
        if isinstance(found, Exception):
            await self._failed(whose, found)
        else:
            self._troubles.pop(whose.key, None)
            self._keep(whose.key, found)
            self._saw(whose.server, found)
        key = grant_key(whose.principal, whose.server)
        if whose.key == key:  # of a grant, and not of what was exchanged
            await asyncio.to_thread(self._connections.grants.checked, key, int(time.time()))

    async def _listed(self, whose: _Whose) -> Sequence[Definition]:
        """With another credential, once, where the server refuses the first: as a call does."""
        connector = self._connector(whose.server)
        if connector is None:
            return ()
        asked = (whose.principal, whose.server, whose.shown)
        credential = await self._of_person(*asked)
        try:
            return await connector.discover(credential)
        except CredentialRefused as how:
            refused = how
        try:
            credential = await self._of_person(*asked, Rejected(credential, refused))
        except ConsentRequired:
            if refused.status != REFUSED:
                raise
            raise refused from None
        return await connector.discover(credential)

    async def _failed(self, whose: _Whose, failure: Exception) -> None:
        """A refusal of what the person connected ends that; anything else may pass."""
        if len(self._troubles) >= MOST:
            self._troubles.pop(next(iter(self._troubles)))
        self._troubles[whose.key] = _said(failure), time.time()
        if isinstance(failure, CredentialRefused) and failure.status == REFUSED:
            self._views.pop(whose.key, None)
            reason = "the server refuses it"
            await self._connections.broken(whose.principal, whose.server, reason)

    def _keep(self, key: ViewKey, listed: Sequence[Definition]) -> None:
        names = {(d.kind, d.name): d.digest for d in listed if not d.flaw}
        before = self._views.pop(key, UNSEEN)
        alike = before is not UNSEEN and before.names == names
        stamp = before.stamp if alike else next(self._stamps)
        if len(self._views) >= MOST:
            self._views.pop(next(iter(self._views)))
        self._views[key] = View(stamp, names, time.time() + LIFE)
        if not alike:
            self._changed()


def _said(failure: Exception) -> str:
    match failure:
        case ConsentRequired():
            return "it has to be connected again"
        case CredentialRefused():
            return "the server refuses it"
        case Refusal():
            return failure.reason
        case OSError() | ValueError():
            return "it did not answer"
        case _:
            return "the gateway failed to look at it"
