"""Running upstreams: discovered again and again while they are away, and when a call fails."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from mcp_gateway.config import Server
from mcp_gateway.core.asking import NOT_OFFERED, Offered
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.change import List
from mcp_gateway.core.credential import Credential, CredentialRefused, Grant
from mcp_gateway.core.errors import Refusal, UpstreamFailed
from mcp_gateway.core.target import Definition
from mcp_gateway.services.catalog import NAMED
from mcp_gateway.services.lease import Leased
from mcp_gateway.services.review import Review, Reviewed
from mcp_gateway.wire.jsonrpc import INVALID_PARAMS, METHOD_NOT_FOUND

log = logging.getLogger(__name__)
DISCOVERY_BOUND = 30.0
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
SPACING = 1.0
"""Seconds between two discoveries, however often one is asked for."""
INSISTING = frozenset({INVALID_PARAMS, METHOD_NOT_FOUND})
"""How an upstream answers a call by a definition that it has no more."""
SUSPECTED_EVERY = 5.0
"""Seconds between two looks at a server of which calls fail."""

MOST_SEEN = 5000
"""Definitions of one server that only persons' own lists have shown."""

Shows = Callable[[], Awaitable[Credential]]
"""What the gateway itself shows an upstream, for its lists and announcements."""


@dataclass(slots=True)
class Running:
    """One upstream as it is now. `trouble` says in words why it is not to be relied on.

    What was served before the trouble goes on being served: its calls are refused in words that
    say what is wrong, instead of the name of their tool being unknown. `detail` is what the
    upstream said itself when it failed, for administrators alone.
    """

    name: str
    config: Server
    connector: Leased
    credential: Shows
    listed: Sequence[Definition] = ()
    reviewed: Reviewed = field(default_factory=Reviewed)
    trouble: str = "it has not answered yet"
    detail: str = ""
    wanted: asyncio.Event = field(default_factory=asyncio.Event)
    answering: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while there is no trouble."""
    announced: dict[List, None] = field(default_factory=dict)
    """Lists that it said have changed, until somebody has looked."""
    looked: float = float("-inf")
    """When it was last asked for its list, on the clock of the event loop."""
    offered: Offered = NOT_OFFERED
    insisted: set[str] = field(default_factory=set[str])
    """Digests of definitions that it lists and insists on: it refuses what was approved before."""

    seen: dict[str, Definition] = field(default_factory=dict[str, Definition])
    """By digest, what the lists of persons show besides."""

    def __post_init__(self) -> None:
        self.connector.refused = self.heard
        self._admit()

    @property
    def grant(self) -> Grant:
        return self.config.grant.terms()

    def take(self, config: Server, credential: Shows) -> None:
        """The same server under other terms. Whom it trusts or is shown is looked at anew."""
        if (config.trust, config.grant) != (self.config.trust, self.config.grant):
            self.wanted.set()
        self.config, self.credential = config, credential
        self._admit()

    def heard(self, call: Call, result: Result) -> None:
        """An error of its own. One that refuses an approved definition ends serving that one."""
        listed = self.reviewed.outdated.get(call.target.digest)
        if listed and call.target.kind in NAMED and _refuses(result):
            self.insisted.add(listed)
            self.wanted.set()

    def _admit(self) -> None:
        config = self.config
        self.connector.admission.limit(config.concurrency, config.queue, config.breaker)
        self.connector.idempotent = config.idempotent

    def saw(self, listed: Sequence[Definition]) -> None:
        """What is new to everybody is looked at once more, with all that is known."""
        known = {definition.digest for definition in self.listed} | self.seen.keys()
        new = {d.digest: d for d in listed if not d.flaw and d.digest not in known}
        if new and len(self.seen) + len(new) <= MOST_SEEN:
            self.seen |= new
            self.wanted.set()

    def with_seen(self, listed: Sequence[Definition]) -> Sequence[Definition]:
        known = {definition.digest for definition in listed}
        return [*listed, *(d for digest, d in self.seen.items() if digest not in known)]

    def suspect(self, now: float) -> None:
        """A call to it has failed: it is looked at again, however many fail at once."""
        if not self.trouble and now - self.looked >= SUSPECTED_EVERY:
            self.wanted.set()


@dataclass(frozen=True, slots=True)
class _Look:
    """What one discovery came to."""

    trouble: str
    listed: Sequence[Definition] = ()
    reviewed: Reviewed | None = None
    detail: str = ""


def _shown(running: Running) -> tuple[str, Reviewed, Offered]:
    """What of it stands in a snapshot."""
    return running.trouble, running.reviewed, running.offered


def _refuses(result: Result) -> bool:
    try:
        return result.view().get("code") in INSISTING
    except ValueError:
        return False


def _fault(failure: Exception) -> _Look:
    match failure:
        case TimeoutError():
            return _Look(f"it did not list its tools within {DISCOVERY_BOUND:g} s")
        case CredentialRefused():
            return _Look("it refuses the gateway's credential")
        case UpstreamFailed():
            return _Look(str(failure), detail=failure.detail)
        case _:
            return _Look(str(failure))


class NobodyYet(UpstreamFailed):
    """A server of which nobody may be asked for the list, which is no trouble of its own."""


class Discovery:
    """Keeps one upstream's list up to date. One task each, so a slow one delays nobody."""

    def __init__(
        self, review: Review, changed: Callable[[], None], looked: Callable[[Running], None]
    ) -> None:
        """`changed` is called when there is something new, `looked` after every look."""
        self._review = review
        self._changed = changed
        self._looked = looked

    async def follow(self, running: Running) -> None:
        """Discovers until cancelled: again when asked, and with growing pauses after a failure."""
        pause, loop = FIRST_PAUSE, asyncio.get_running_loop()
        while True:
            running.wanted.clear()
            await self._once(running)
            if not running.trouble:
                pause, ended = FIRST_PAUSE, loop.time()
                await running.wanted.wait()
                await asyncio.sleep(ended + SPACING - loop.time())
                continue
            running.wanted.clear()  # the failure itself is no reason to look again at once
            await asyncio.sleep(FIRST_PAUSE)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause - FIRST_PAUSE):
                    await running.wanted.wait()
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _once(self, running: Running) -> None:
        """In one step at its end: no server is out of trouble before its tools can be called."""
        before = _shown(running)
        running.looked = asyncio.get_running_loop().time()
        look = await self._look(running)
        running.trouble, running.detail = look.trouble, look.detail
        running.offered = running.connector.offered
        if look.reviewed is not None:
            running.listed, running.reviewed = look.listed, look.reviewed
            running.insisted &= {definition.digest for definition in look.listed}
        if _shown(running) != before:
            if running.trouble:
                log.warning("the server %s: %s", running.name, running.trouble)
            self._changed()
        (running.answering.clear if running.trouble else running.answering.set)()
        self._looked(running)

    async def _look(self, running: Running) -> _Look:
        try:
            async with asyncio.timeout(DISCOVERY_BOUND):
                listed = await self._listed(running)
            reviewed = await asyncio.to_thread(self._reviewed, running, listed)
        except (CredentialRefused, Refusal, OSError, ValueError) as failure:
            return _fault(failure)
        except Exception:  # a supervisor: whatever it is, it costs this server only
            log.exception("the server %s could not be looked at", running.name)
            return _Look("the gateway failed to look at it: see its log")
        return _Look("", listed, reviewed)

    async def _listed(self, running: Running) -> Sequence[Definition]:
        """What it lists; where each person has a list of their own, what those showed besides."""
        try:
            listed = await running.connector.discover(await running.credential())
        except NobodyYet:
            listed = ()
        return running.with_seen(listed) if running.grant.personal else listed

    def _reviewed(self, running: Running, listed: Sequence[Definition]) -> Reviewed:
        name, trust = running.name, running.config.trust
        insisted, personal = frozenset(running.insisted), running.grant.personal
        return self._review.of(name, listed, trust, insisted, personal=personal)
