"""Large: a result that is passed on while its upstream still sends it."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connectors.failures import told
from mcp_gateway.core.asking import ASKING
from mcp_gateway.core.errors import Overloaded, ResultTooLarge, UpstreamFailed
from mcp_gateway.wire import sse
from mcp_gateway.wire.connection import Response
from mcp_gateway.wire.envelope import Envelope
from mcp_gateway.wire.failures import HttpFailed
from mcp_gateway.wire.modern import CACHEABLE
from mcp_gateway.wire.spill import Spill

STREAMED: Final = ASKING
"""The methods whose results may be that large: what a tool, a prompt or a resource holds."""
_COMPLETE: Final = b'"resultType":"complete"'
_PRIVATE: Final = b',"ttlMs":0,"cacheScope":"private"'


@dataclass(frozen=True, slots=True)
class Source:
    """Where a result comes from: the answer to a request, and the one event of it that it is.

    `idle` is how many seconds the upstream may say nothing.
    """

    server: str
    response: Response
    idle: float
    flowing: sse.Flowing | None = None


class Large:
    """One result. Implements `core.body.Streaming`.

    It is held against its request piece by piece; what it turns out not to be ends it. Nobody is
    to keep a result of this size, so it says that, whatever its upstream says.
    """

    def __init__(self, source: Source, id_: bytes, method: str, spill: tuple[Path, int]) -> None:
        """`spill`: where it is held if it has to be, and up to how many bytes in memory."""
        kept = method in CACHEABLE
        head = _COMPLETE + (_PRIVATE if kept else b"")
        self._source = source
        self._spill = spill
        self._held: Spill | None = None
        self._envelope = Envelope(id_, head, ("ttlMs", "cacheScope") if kept else ())

    @property
    def failed(self) -> bool:
        return self._envelope.failed

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        held = self._held
        try:
            async with aclosing(held.chunks() if held else self._read()) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            await self.aclose()

    async def whole(self, most: int) -> bytes:
        """Raises Overloaded when the disk takes no more."""
        held = self._held = Spill(*self._spill)
        try:
            async with aclosing(self._read()) as pieces:
                async for piece in pieces:
                    if held.size + len(piece) > most:
                        raise ResultTooLarge(
                            f"{self._source.server} answered more than the {most} bytes that are "
                            "held until they have been looked at"
                        )
                    await held.write(piece)
            return await held.whole()
        except OSError as error:
            raise Overloaded(f"a result cannot be held: {error.strerror}", retry_after=5) from None

    async def aclose(self) -> None:
        self._source.response.close()
        if self._held:
            self._held.close()

    async def _read(self) -> AsyncGenerator[bytes, None]:
        server, envelope = self._source.server, self._envelope
        try:
            async with aclosing(self._arriving()) as pieces:
                async for piece in pieces:
                    if made := envelope.feed(piece):
                        yield made
            yield envelope.end()
        except ValueError as fault:
            raise UpstreamFailed(f"{server} broke off a large answer: {fault}") from None
        except HttpFailed as failure:
            raise told(server, failure) from None
        finally:
            self._source.response.close()

    async def _arriving(self) -> AsyncGenerator[bytes, None]:
        """The response as it comes: the body, or the data of the event that it is."""
        flowing = self._source.flowing
        for piece in flowing.held() if flowing else ():
            yield piece
        if flowing and flowing.done:
            return
        async for chunk in self._source.response.chunks(self._source.idle):
            yield flowing.feed(chunk) if flowing else chunk
            if flowing and flowing.done:
                return
