"""Body: one JSON value as it crossed the wire, bytes first and decoded on demand."""

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, Final, Protocol

from mcp_gateway.core.asking import Asked

Decode = Callable[[bytes], Any]


class Streaming(Protocol):
    """A result that is not held: its bytes as they arrive, once.

    Whoever takes one reads it to its end, closes its `chunks`, or closes it.
    """

    @property
    def failed(self) -> bool:
        """Whether the result says `isError`; known when it has been read."""
        ...

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """The whole result in pieces. Raises UpstreamFailed, UpstreamTimedOut on the way."""
        ...

    async def whole(self, most: int) -> bytes:
        """All of it, which `chunks` then gives again. Raises ResultTooLarge beyond `most` bytes."""
        ...

    async def aclose(self) -> None:
        """Leaves the rest with the upstream. May be called again."""


class Body:
    """One JSON object as it crossed the wire.

    `raw` is what arrived and what leaves; nothing re-serialises it. `failed` marks an
    upstream's own protocol error: then `raw` is the JSON-RPC `error` object instead of the
    `result`. `decode` is how a view is made; it is called at most once. `asked` is what a result
    wants to know before it is one, decided once by the connector that read it. While there is a
    `stream`, `raw` is empty.
    """

    __slots__ = ("_decode", "_view", "asked", "failed", "raw", "stream")

    def __init__(
        self,
        raw: bytes,
        *,
        failed: bool = False,
        decode: Decode = json.loads,
        view: Mapping[str, Any] | None = None,
        asked: Asked | None = None,
        stream: Streaming | None = None,
    ) -> None:
        self.raw = raw
        self.failed = failed
        self.asked = asked
        self.stream = stream
        self._decode = decode
        self._view = view

    def view(self) -> Mapping[str, Any]:
        """The decoded object, made once. Raises ValueError when `raw` is not a JSON object."""
        if self._view is None:
            decoded = self._decode(self.raw)
            if not isinstance(decoded, dict):
                raise ValueError("expected a JSON object")
            self._view = decoded
        return self._view

    def __len__(self) -> int:
        return len(self.raw)

    def __repr__(self) -> str:
        return f"Body({len(self.raw)} bytes{', failed' if self.failed else ''})"


Result = Body
EMPTY: Final = Body(b"{}")
