"""Introspections: what an outside issuer took back, asked for beside the path of calls."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from mcp_gateway.core import ports
from mcp_gateway.core.entry import Entry
from mcp_gateway.core.errors import Refusal, UpstreamFailed, UpstreamTimedOut
from mcp_gateway.oauth.claims import TokenRefused
from mcp_gateway.oauth.rfc9068 import LEEWAY, Accepted, Seen, StateUnknown

log = logging.getLogger(__name__)
EVERY: Final = 15.0
"""Seconds between two questions about a token that is in use."""
BOUND: Final = 30.0
"""Seconds without an answer after which a token is not taken."""
PAUSE: Final = 2.0
"""Seconds until a question that was not answered is put again, for the first time."""
AT_ONCE: Final = 32
"""Questions that wait for their answers."""
OVER: Final = float("-inf")
MOST: Final = 50_000
"""Tokens that are asked for; who comes with another one has to wait."""


class Asks(Protocol):
    """One issuer that can be asked."""

    @property
    def issuer(self) -> str: ...

    async def is_active(self, token: str) -> bool:
        """Raises UpstreamFailed, UpstreamTimedOut."""
        ...


@dataclass(slots=True, eq=False)
class _Watched:
    """A token in use. `until` is how long it is good without another answer, `ends` its end."""

    token: str = field(repr=False)
    name: str
    ends: float
    until: float
    used: bool = True
    confirmed: bool = False
    over: bool = False
    failed: int = 0


class Introspections:
    """Watches the tokens of one issuer at a time: each from its first use on, while it is used.

    `look` has all that is open looked at again. `clock` is monotonic, `now` tells Unix seconds.
    """

    def __init__(
        self,
        ledger: ports.Ledger,
        look: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        most: int = MOST,
    ) -> None:
        self._ledger = ledger
        self._look = look
        self._clock = clock
        self._now = now
        self._most = most
        self._asks: Asks | None = None
        self._watched: dict[bytes, _Watched] = {}
        self._waiting: asyncio.Queue[tuple[bytes, _Watched]] = asyncio.Queue()
        self._silent = 0.0
        """Since when the issuer does not answer; 0 while it does."""

    def __len__(self) -> int:
        return len(self._watched)

    def ask(self, issuer: Asks | None) -> Seen | None:
        """From now on this one is asked, and what another one said counts no more.

        What it returns is to be told of the tokens in use; None without an issuer.
        """
        self._asks = issuer
        self._watched = {}
        self._silent = 0.0
        return self.seen if issuer else None

    def seen(self, digest: bytes, token: bytes, accepted: Accepted) -> None:
        """A token is in use that its signature speaks for.

        Raises TokenRefused where its issuer took it back, StateUnknown where it does not answer.
        """
        watched = self._watched.get(digest)
        if watched is None:
            watched = self._watch(digest, token, accepted)
        watched.used = True
        if watched.until >= self._clock():
            return
        if watched.over:
            raise TokenRefused("its issuer has taken the token back")
        raise StateUnknown("its issuer does not say whether the token is still good")

    def trouble(self) -> Mapping[str, str]:
        """An issuer that does not answer, by name."""
        if not self._silent or self._asks is None:
            return {}
        said = f"it does not answer at introspection for {self._clock() - self._silent:.0f} s"
        return {f"issuer {self._asks.issuer}": f"{said}; its tokens are refused after {BOUND:.0f}"}

    async def follow(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(self._answered())

    async def _answered(self) -> None:
        while True:
            digest, watched = await self._waiting.get()
            after = PAUSE
            try:
                if self._asks is not None and self._watched.get(digest) is watched:
                    after = await self._put(self._asks, watched)
            finally:
                self._later(after, digest, watched)

    def _watch(self, digest: bytes, token: bytes, accepted: Accepted) -> _Watched:
        """New tokens get no time from an issuer that is silent."""
        if len(self._watched) >= self._most:
            raise StateUnknown("more tokens are in use than the issuer can be asked for")
        now = self._clock()
        ends = now + max(0.0, accepted.expires - self._now()) + 2 * LEEWAY
        name = next(name for name in accepted.names if name.startswith("token:"))
        watched = _Watched(token.decode(), name, ends, (self._silent or now) + BOUND)
        self._watched[digest] = watched
        self._waiting.put_nowait((digest, watched))
        return watched

    async def _put(self, asks: Asks, watched: _Watched) -> float:
        """One question, and after how many seconds it is put again."""
        begun = self._clock()
        watched.used = False
        try:
            active = await asks.is_active(watched.token)
        except (UpstreamFailed, UpstreamTimedOut) as failed:
            return self._unanswered(asks, watched, begun, failed)
        if asks is not self._asks:
            return EVERY
        self._silent, watched.failed = 0.0, 0
        if active:
            watched.confirmed, watched.until = True, begun + BOUND
            return EVERY
        watched.over, watched.confirmed, watched.until = True, False, OVER
        self._look()
        await self._record(asks, watched)
        return EVERY

    def _unanswered(self, asks: Asks, watched: _Watched, begun: float, failed: Refusal) -> float:
        """Soon again, so that one lost answer costs nobody anything; then less and less often."""
        if asks is self._asks and not self._silent:
            self._silent = begun
            log.warning("what tokens are still good is not known: %s", failed)
        watched.confirmed, watched.failed = False, watched.failed + 1
        return min(EVERY, PAUSE * 2.0 ** min(watched.failed - 1, 10))

    async def _record(self, asks: Asks, watched: _Watched) -> None:
        reason = "it is not active any more"
        body = {"name": watched.name, "by": f"issuer:{asks.issuer}", "reason": reason}
        try:
            await self._ledger.append(Entry("revoked", body=body))
        except Refusal as refusal:  # it is over all the same
            log.warning("a token that its issuer took back cannot be recorded: %s", refusal)

    def _later(self, after: float, digest: bytes, watched: _Watched) -> None:
        asyncio.get_running_loop().call_later(after, self._due, digest, watched)

    def _due(self, digest: bytes, watched: _Watched) -> None:
        """Asks again for what is in use.

        What is good and at rest is forgotten. The rest is kept in mind until it has expired: a
        token that nobody vouched for does not become a new one by resting.
        """
        if self._watched.get(digest) is not watched:
            return
        if self._clock() > watched.ends or (watched.confirmed and not watched.used):
            del self._watched[digest]
            if not self._watched:
                self._silent = 0.0
        elif watched.over:
            self._later(EVERY, digest, watched)
        else:
            self._waiting.put_nowait((digest, watched))
