"""Passing: a stream with something done to it on its way, and Passed: what came of it."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing

from mcp_gateway.core import ports
from mcp_gateway.core.body import Streaming

Through = Callable[[Streaming], AsyncGenerator[bytes, None]]


class Passing:
    """Implements `Streaming` around another one.

    `through` reads the inner stream and gives its pieces on; `ended` is called once, whichever
    way it ends.
    """

    def __init__(
        self,
        inner: Streaming,
        through: Through = lambda inner: inner.chunks(),
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        self._inner = inner
        self._through = through
        self._ended: Callable[[], None] | None = ended

    @property
    def failed(self) -> bool:
        return self._inner.failed

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        try:
            async with aclosing(self._through(self._inner)) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            await self.aclose()

    async def whole(self, most: int) -> bytes:
        return await self._inner.whole(most)

    async def aclose(self) -> None:
        ended, self._ended = self._ended, None
        if ended:
            ended()
        await self._inner.aclose()


class Passed:
    """What has passed of a result that is not held: its size, and the commitment to it."""

    def __init__(self, commitment: ports.Committing) -> None:
        self._commitment = commitment
        self.size = 0
        self.whole = False

    def take(self, piece: bytes) -> None:
        self._commitment.update(piece)
        self.size += len(piece)

    @property
    def committed(self) -> Mapping[str, str] | None:
        """Nothing while a part is missing: nobody could ever show what was committed to."""
        return {"result": self._commitment.hexdigest()} if self.whole else None
