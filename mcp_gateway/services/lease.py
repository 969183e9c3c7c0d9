"""Leased: a connector that outlives its place in the snapshot until its last call has ended."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from mcp_gateway.core import ports
from mcp_gateway.core.asking import NOT_OFFERED, Asked, Fate, Offered, Parked
from mcp_gateway.core.body import Body, Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.change import Change, Interest
from mcp_gateway.core.credential import Credential, CredentialRefused
from mcp_gateway.core.errors import (
    ResultTooLarge,
    UpstreamBusy,
    UpstreamFailed,
    UpstreamTimedOut,
)
from mcp_gateway.core.passing import Passing
from mcp_gateway.core.target import Definition
from mcp_gateway.services.admission import Admission
from mcp_gateway.services.retries import resent

Refused = Callable[[Call, Result], None]
"""Hears of each answer that is an upstream's own error."""


def _unheard(call: Call, result: Result) -> None:
    """Nobody has asked."""


class Leased:
    """Implements `ports.Connector` around another one, `ports.Offering` and `ports.Attending`.

    Calls on it are admitted, counted, and sent again where they may be. What waits for an answer
    counts as a call until it ends: at most half of the places are held so. `idempotent` are the
    tools that somebody has reviewed as safe to send twice.
    """

    def __init__(self, name: str, connector: ports.Connector) -> None:
        self._name = name
        self._connector = connector
        self._offering = connector if isinstance(connector, ports.Offering) else None
        self._unused = asyncio.Event()
        self._retiring = False
        self._closed = False
        self._waiting = 0
        self.admission = Admission(name)
        self.idempotent: frozenset[str] = frozenset()
        self.refused: Refused = _unheard

    @property
    def offered(self) -> Offered:
        return self._offering.offered if self._offering else NOT_OFFERED

    async def discover(self, credential: Credential) -> Sequence[Definition]:
        found = await self._connector.discover(credential)
        self.admission.hopeful()
        return found

    async def attend(
        self, credential: Credential, interest: Interest, announce: Callable[[Change], None]
    ) -> None:
        """Raises NotImplementedError for a connector that hears nothing."""
        if not isinstance(self._connector, ports.Attending):
            raise NotImplementedError
        await self._connector.attend(credential, interest, announce)

    async def send(self, call: Call) -> Result:
        """Raises UpstreamFailed once it is closed: nothing is started again behind its back.

        Raises UpstreamBusy for what is not sent, and for what asks when too many wait already.
        """
        if self._closed:
            raise UpstreamFailed(
                f"{self._name} was replaced in the configuration while this call was on its way",
                retry_after=1,
                sent=False,
            )
        place, trial = self.admission, False
        if place.inside >= place.most or place.failures >= place.breaker:
            trial = await place.enter()
        else:
            place.inside += 1
        try:
            result = await self._connector.send(call)
        except UpstreamFailed as failure:
            result = await self._again(call, failure, trial=trial)
        except (UpstreamTimedOut, CredentialRefused, ResultTooLarge) as ended:
            self._ended(ended, trial=trial)
            raise
        finally:
            if trial or place.waiting or self._retiring:
                self._left(trial=trial)
            else:
                place.inside -= 1
        if place.failures:
            place.answered()
        if result.failed:
            self.refused(call, result)
        over = result.asked is None and result.stream is None
        return result if over else await self._standing(result)

    async def _standing(self, result: Result) -> Result:
        """What still arrives, or waits for an answer, keeps its place until it ends."""
        if result.stream is not None:
            self.admission.inside += 1
            return Body(b"", stream=Passing(result.stream, ended=self._left))
        return result if result.asked is None else await self._asking(result, result.asked)

    async def _again(self, call: Call, failure: UpstreamFailed, *, trial: bool) -> Result:
        try:
            return await resent(call, failure, self._connector.send, self.idempotent)
        except (UpstreamFailed, UpstreamTimedOut):
            self.admission.failed(trial=trial)
            raise

    def _ended(self, how: Exception, *, trial: bool) -> None:
        """An upstream that refuses a credential, or answers too much, answers."""
        if isinstance(how, UpstreamTimedOut):
            self.admission.failed(trial=trial)
        else:
            self.admission.answered()

    async def _asking(self, result: Result, asked: Asked) -> Result:
        if asked.parked is None:
            return result
        if self._waiting >= max(1, self.admission.most // 2):
            await asked.parked.abandon()
            busy = UpstreamBusy(f"{self._name} waits for {self._waiting} answers", retry_after=1)
            busy.sent = True
            raise busy
        self._waiting += 1
        self.admission.inside += 1
        result.asked = replace(asked, parked=_Counted(asked.parked, self._asking, self._answered))
        return result

    def _answered(self) -> None:
        self._waiting -= 1
        self._left()

    def _left(self, *, trial: bool = False) -> None:
        self.admission.leave(trial=trial)
        if not self.admission.inside:
            self._unused.set()

    async def retire(self, grace: float) -> None:
        """Closes when the calls that are on it have ended, or after `grace` seconds."""
        self._retiring = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                while self.admission.inside:
                    self._unused.clear()
                    await self._unused.wait()
        await self.aclose()

    async def aclose(self) -> None:
        self._closed = True
        await self._connector.aclose()


class _Counted:
    """Implements `Parked` around another one; `ended` is called once, whichever way it ends."""

    def __init__(
        self,
        parked: Parked,
        again: Callable[[Result, Asked], Awaitable[Result]],
        ended: Callable[[], None],
    ) -> None:
        self._parked = parked
        self._again = again
        self._ended = ended
        self._counts = True

    async def resume(self, call: Call) -> Result:
        """What is asked next counts for itself."""
        try:
            result = await self._parked.resume(call)
        finally:
            self._end()
        return result if result.asked is None else await self._again(result, result.asked)

    async def fate(self) -> Fate:
        """What has been answered is at its upstream no more, and counts for nothing there."""
        fate = await self._parked.fate()
        if fate == "answered":
            self._end()
        return fate

    async def abandon(self) -> None:
        try:
            await self._parked.abandon()
        finally:
            self._end()

    def _end(self) -> None:
        if self._counts:
            self._counts = False
            self._ended()
