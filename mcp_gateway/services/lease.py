"""Leased: a connector that outlives its place in the snapshot until its last call has ended."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace

from mcp_gateway.core import ports
from mcp_gateway.core.asking import Parked
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.credential import Credential
from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.core.target import Definition


class Leased:
    """Implements `ports.Connector` around another one. Calls on it are counted."""

    def __init__(self, name: str, connector: ports.Connector) -> None:
        self._name = name
        self._connector = connector
        self._calls = 0
        self._unused = asyncio.Event()
        self._closed = False

    async def discover(self, credential: Credential) -> Sequence[Definition]:
        return await self._connector.discover(credential)

    async def send(self, call: Call) -> Result:
        """Raises UpstreamFailed once it is closed: nothing is started again behind its back."""
        if self._closed:
            raise UpstreamFailed(
                f"{self._name} was replaced in the configuration while this call was on its way",
                retry_after=1,
            )
        self._calls += 1
        try:
            return self._counted(await self._connector.send(call))
        finally:
            self._left()

    def _counted(self, result: Result) -> Result:
        """What waits for an answer counts as a call until it ends."""
        if result.asked is not None and result.asked.parked is not None:
            self._calls += 1
            parked = _Counted(result.asked.parked, self._counted, self._left)
            result.asked = replace(result.asked, parked=parked)
        return result

    def _left(self) -> None:
        self._calls -= 1
        if not self._calls:
            self._unused.set()

    async def retire(self, grace: float) -> None:
        """Closes when the calls that are on it have ended, or after `grace` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                while self._calls:
                    self._unused.clear()
                    await self._unused.wait()
        await self.aclose()

    async def aclose(self) -> None:
        self._closed = True
        await self._connector.aclose()


class _Counted:
    """Implements `Parked` around another one; `ended` is called once, whichever way it ends."""

    def __init__(
        self, parked: Parked, again: Callable[[Result], Result], ended: Callable[[], None]
    ) -> None:
        self._parked = parked
        self._again = again
        self._ended = ended
        self._counts = True

    async def resume(self, call: Call) -> Result:
        """What is asked next counts for itself."""
        try:
            return self._again(await self._parked.resume(call))
        finally:
            self._end()

    async def abandon(self) -> None:
        try:
            await self._parked.abandon()
        finally:
            self._end()

    def _end(self) -> None:
        if self._counts:
            self._counts = False
            self._ended()
