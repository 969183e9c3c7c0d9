"""Listening: what a listen is at the edge, from its filter to the id that its frames bear."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from mcp_gateway.core.body import Body
from mcp_gateway.core.call import Call, Notify
from mcp_gateway.core.change import List
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import Snapshot
from mcp_gateway.core.target import NOWHERE
from mcp_gateway.edge.asgi import Receive
from mcp_gateway.edge.standing import Open, Presented, Standing
from mcp_gateway.services.listens import FLAGS, METHOD, Listens
from mcp_gateway.wire import jsonrpc, modern

__all__ = ["LEFT", "METHOD", "Listening", "tagged", "wanted"]
LEFT: Final = "left"
NOT_YET: Final = 0.05
"""Seconds until a call that is to end, and does not listen yet, is looked at again."""
_LISTS: Final[tuple[List, ...]] = ("tools", "prompts", "resources")


def wanted(lists: Iterable[List] = _LISTS, uris: Iterable[str] = ()) -> Body:
    """The parameters of a listen for these lists, and for these resources."""
    chosen = set(lists)
    asked: dict[str, object] = {flag: True for flag, of in FLAGS.items() if of in chosen}
    asked["resourceSubscriptions"] = list(uris)
    return jsonrpc.body(jsonrpc.encode({"notifications": asked}))


def tagged(notify: Notify, id_: bytes) -> Notify:
    """Every frame bears the id of the request that listens, number or text as it came."""

    async def deliver(message: Body) -> None:
        params = bytes(jsonrpc.members(message.raw).get("params", b"{}"))
        marked = jsonrpc.with_meta(params, modern.META_SUBSCRIPTION, id_)
        await notify(jsonrpc.body(jsonrpc.replaced(message.raw, {"params": marked})))

    return deliver


class Listening:
    """Ends a listen in its own way, with a result, whatever ends it."""

    def __init__(self, listens: Listens, standing: Standing) -> None:
        self._listens = listens
        self.standing = standing

    def end(self, call_id: str, why: str) -> bool:
        """Ends the listen of a call; False when none is open."""
        return self._listens.end(call_id, why)

    @asynccontextmanager
    async def open(self, call: Call, presented: Presented, receive: Receive) -> AsyncIterator[None]:
        """While it is entered, the call ends when its caller hangs up, or may listen no more.

        A call that does not listen yet is cancelled by who hangs up, and else ends once it does:
        until then the chain decides about it.
        """
        loop, task, over = asyncio.get_running_loop(), asyncio.current_task(), asyncio.Event()

        def end(why: str) -> None:
            if over.is_set() or self._listens.end(call.id, why):
                return
            if why != LEFT:
                loop.call_later(NOT_YET, end, why)
            elif task is not None:
                task.cancel()

        # Owned here, and over when the listen is.
        left = loop.create_task(_left(receive))
        left.add_done_callback(lambda done: None if done.cancelled() else end(LEFT))
        gone = self.standing.add(Open(call.principal.tenant, presented, partial(_still, call), end))
        try:
            yield
        finally:
            over.set()
            gone()
            left.cancel()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _still(call: Call, snapshot: Snapshot, principal: Principal) -> bool:
    """Whether the same caller would be let in again."""
    if principal != call.principal or (call.endpoint and call.endpoint not in snapshot.upstreams):
        return False
    if call.target is NOWHERE:  # it is still on its way, and decided for the first time
        return True
    return snapshot.policy.decide(call).allowed and call.target.requires <= principal.scopes
