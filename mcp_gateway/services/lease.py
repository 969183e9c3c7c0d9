"""Leased: a connector that outlives its place in the snapshot until its last call has ended."""

import asyncio
import contextlib
from collections.abc import Sequence

from mcp_gateway.core import ports
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
            return await self._connector.send(call)
        finally:
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
