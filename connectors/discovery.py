"""Discovery: everything that an upstream lists, as definitions with their digests."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, cast

from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.core.target import Definition, Kind
from mcp_gateway.wire import jsonrpc
from mcp_gateway.wire.modern import LISTINGS

Ask = Callable[[str, bytes], Awaitable[bytes]]
MOST_PAGES: Final = 100
MOST_DEFINITIONS: Final = 10_000
NAME_OF: Final = {
    "tool": "name",
    "prompt": "name",
    "resource": "uri",
    "template": "uriTemplate",
}
_HINTS: Final = {
    "readOnlyHint": "read_only",
    "destructiveHint": "destructive",
    "idempotentHint": "idempotent",
    "openWorldHint": "open_world",
}


class NotOffered(Exception):  # an answer, not a fault
    """The upstream does not have this method."""


async def listed(server: str, ask: Ask) -> Sequence[Definition]:
    """All tools, prompts, resources and templates. Raises UpstreamFailed."""
    found: list[Definition] = []
    for method, (member, kind) in LISTINGS.items():
        found += await _pages(server, method, member, cast("Kind", kind), ask)
    return found


async def _pages(server: str, method: str, member: str, kind: Kind, ask: Ask) -> list[Definition]:
    found: list[Definition] = []
    params = b"{}"
    for _ in range(MOST_PAGES):
        try:
            page = jsonrpc.decode(await ask(method, params))
        except NotOffered:
            return found
        items = page.get(member, []) if isinstance(page, dict) else None
        if not isinstance(items, list):
            raise UpstreamFailed(f"{server}: the answer to {method} has no list {member!r}")
        found += [made for item in items if (made := define(server, kind, item))]
        cursor = page.get("nextCursor")
        if not cursor or len(found) > MOST_DEFINITIONS:
            return found
        params = b'{"cursor":%b}' % jsonrpc.encode(cursor)
    return found


def define(server: str, kind: Kind, item: Any) -> Definition | None:
    """One listed entry; None for one that has no name. Its order of members does not matter."""
    name = item.get(NAME_OF[kind]) if isinstance(item, dict) else None
    if not isinstance(name, str) or not name:
        return None
    digest = hashlib.sha256(jsonrpc.canonical(item)).hexdigest()
    return Definition(
        kind=kind,
        server=server,
        name=name,
        raw=jsonrpc.encode(item),
        digest=f"sha256:{digest}",
        labels=_labels(item),
    )


def _labels(item: dict[str, Any]) -> frozenset[str]:
    """What the upstream claims of its tool. Claims are shown, and widen nothing."""
    annotations = item.get("annotations")
    if not isinstance(annotations, dict):
        return frozenset()
    return frozenset(f"claims_{word}" for hint, word in _HINTS.items() if annotations.get(hint))
