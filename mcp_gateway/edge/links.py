"""Calls that wait for a person to open an address, and go on when they are made again."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from mcp_gateway.core.body import Body
from mcp_gateway.wire import jsonrpc

MOST: Final = 32
"""Calls of one session that wait so; the oldest is given up for another one."""


@dataclass(frozen=True, slots=True)
class Link:
    """`call` asked, under `state`.

    The keys are those of its questions, the ids what the client was told instead of them, and
    `addresses` what it shall open.
    """

    call: str
    state: str
    keys: tuple[str, ...]
    ids: tuple[str, ...]
    addresses: tuple[str, ...] = ()

    def answers(self) -> bytes:
        """Who calls again has opened the addresses."""
        return jsonrpc.encode({key: {"action": "accept"} for key in self.keys})

    def completed(self) -> list[bytes]:
        """What the client is told when the call has gone through."""
        method = "notifications/elicitation/complete"
        ids = [jsonrpc.encode({"elicitationId": id_}) for id_ in self.ids]
        return [jsonrpc.notification(method, params) for params in ids]


class Links:
    """Those of one session."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, Link] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, method: str, params: Body, link: Link) -> list[Link]:
        """Keeps one; gives those that are given up for it, an earlier one of the same among them.

        The same is what has the same method and parameters, `_meta` apart.
        """
        digest = _digest(method, params)
        given_up = [self._kept.pop(digest)] if digest in self._kept else []
        if len(self._kept) >= MOST:
            given_up.append(self._kept.popitem(last=False)[1])
        self._kept[digest] = link
        return given_up

    def take(self, method: str, params: Body) -> Link | None:
        """The one that this request goes on with, once."""
        return self._kept.pop(_digest(method, params), None) if self._kept else None

    def opened(self, address: Callable[[str], bool]) -> list[Link]:
        """Those with an address that has done what it was for. They are told so once."""
        found = [
            (key, link) for key, link in self._kept.items() if any(map(address, link.addresses))
        ]
        for key, link in found:
            self._kept[key] = replace(link, ids=(), addresses=())
        return [link for _, link in found]

    def clear(self) -> list[Link]:
        """Gives up all of them."""
        given_up = list(self._kept.values())
        self._kept.clear()
        return given_up


def _digest(method: str, params: Body) -> bytes:
    same = {name: value for name, value in params.view().items() if name != "_meta"}
    return hashlib.sha256(jsonrpc.canonical([method, same])).digest()
