"""A result that is not held, as the message that answers on its caller's wire."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from mcp_gateway.core.body import Streaming
from mcp_gateway.core.call import Call
from mcp_gateway.core.errors import ResultTooLarge
from mcp_gateway.edge.refusals import with_receipt
from mcp_gateway.wire import jsonrpc
from mcp_gateway.wire.envelope import Trimmed
from mcp_gateway.wire.modern import CACHEABLE

_META: Final = "_meta"


class Flow:
    """The pieces of one answer. `begin` it while it can still be refused in order.

    The receipt is that of the outcome, as in any other answer: it stands in the closing bytes,
    which come when the outcome has been recorded.
    """

    def __init__(self, call: Call, id_: bytes, stream: Streaming, *, modern: bool) -> None:
        out = {_META}
        if not modern:
            out |= {"resultType"} | ({"ttlMs", "cacheScope"} if call.method in CACHEABLE else set())
        self._call = call
        self._id = id_
        self._pieces = stream.chunks()
        self._result = Trimmed(out)
        self._first = b""

    async def begin(self) -> None:
        """Waits for the first piece. Raises Refusal: then nothing has been said yet."""
        opened = jsonrpc.result(self._id, b"{")[:-1]
        self._first = opened + self._result.feed(await anext(self._pieces))

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The whole message. Raises Refusal where its upstream, or its record, fails."""
        async with aclosing(self._pieces) as pieces:
            yield self._first
            self._first = b""
            async for piece in pieces:
                if made := self._result.feed(piece):
                    yield made
        yield self._closing()

    def lost(self) -> bytes:
        """What answers in its place when it has passed: nobody keeps a result of this size."""
        said = "the result was too large to be kept for you: call again, and stay"
        return jsonrpc.error(self._id, ResultTooLarge.code, said)

    async def aclose(self) -> None:
        """Leaves the rest of it."""
        await self._pieces.aclose()

    def _closing(self) -> bytes:
        """The upstream's own `_meta` with the receipt in it, and the end of the message."""
        meta = self._result.taken.get(_META)
        own = b"{}" if meta is None else b'{"_meta":%b}' % meta
        members = with_receipt(own, self._call).strip()[1:-1]
        comma = b"," if members and not self._result.empty else b""
        return comma + members + b"}}"
