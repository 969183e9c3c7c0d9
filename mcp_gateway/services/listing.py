"""Listings: what this principal may use, each entry as the upstream wrote it."""

import hashlib
from collections.abc import Iterator, Mapping
from functools import partial
from operator import itemgetter
from typing import Any, Final

import msgspec

from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.change import List
from mcp_gateway.core.target import Kind, Target
from mcp_gateway.services import pages
from mcp_gateway.services.catalog import ADDRESSED, NAMED, name_of
from mcp_gateway.services.outcomes import SERVERS, outcomes_of
from mcp_gateway.services.visible import Sight, sight_of
from mcp_gateway.wire import jsonrpc
from mcp_gateway.wire.modern import LISTINGS

KINDS: Final[Mapping[List, tuple[Kind, ...]]] = {
    "tools": ("tool",),
    "prompts": ("prompt",),
    "resources": ("resource", "template"),
}
"""What is listed where a list is said to have changed."""
_RENDERED: Final = "entry"


def listing(call: Call, most: int, ttl_ms: int) -> Result:
    """A page of at most `most` entries: filtered, private, in one order, whoever is asked.

    Rendered once a snapshot. Raises InvalidRequest for a cursor that is none.
    """
    after = pages.position(call.params.view())
    remembered = call.snapshot.listed
    sight = sight_of(call)
    key = (call.principal, sight.stamp, call.endpoint, call.method, after, most, ttl_ms)
    rendered = remembered.get(key)
    if rendered is None:
        rendered = remembered.keep(key, _rendered(call, sight, after, most, ttl_ms))
    return jsonrpc.body(rendered)


def fingerprint(call: Call, of: List) -> bytes:
    """Of a list as this principal sees it at this endpoint: equal lists have equal ones."""
    remembered = call.snapshot.listed
    sight = sight_of(call)
    key = (call.principal, sight.stamp, call.endpoint, of)
    known = remembered.get(key)
    if known is not None:
        return known
    seen = hashlib.sha256()
    for kind in KINDS[of]:
        for (name, server), target in sorted(_worded(call, sight, kind), key=itemgetter(0)):
            if _is_shown(call, sight, target):
                seen.update(f"{kind}\0{target.digest}\0{server}\0{name}\0".encode())
    return remembered.keep(key, seen.digest())


def _is_shown(call: Call, sight: Sight, target: Target) -> bool:
    return sight.shows(target) and call.snapshot.policy.prospect(call, target) != "deny"


def _rendered(call: Call, sight: Sight, after: pages.Key, most: int, ttl_ms: int) -> bytes:
    member, kind = LISTINGS[call.method]
    ordered = sorted(_worded(call, sight, kind), key=itemgetter(0))
    shown, cursor = pages.page(ordered, after, most, partial(_is_shown, call, sight))
    outcomes = outcomes_of(call) if after == pages.FIRST else {}
    fields: dict[str, Any] = {
        "_meta": {SERVERS: outcomes} if outcomes else {},
        member: [msgspec.Raw(_entry(call, target)) for target in shown],
        "resultType": "complete",
        "ttlMs": ttl_ms,
        "cacheScope": "private",
    }
    if cursor:
        fields["nextCursor"] = cursor
    return jsonrpc.encode(fields)


def _worded(call: Call, sight: Sight, kind: Kind) -> Iterator[tuple[pages.Key, Target]]:
    """Each as the caller's own list words it."""
    return ((key, sight.worded(target)) for key, target in _found(call, kind))


def _found(call: Call, kind: Kind) -> Iterator[tuple[pages.Key, Target]]:
    """Everything of a kind at this endpoint, where it stands in the list.

    A URI that several servers have is in it once for each of them.
    """
    snapshot = call.snapshot
    if not call.endpoint and kind not in ADDRESSED:
        named = snapshot.catalog.items()
        yield from (((k[1], t.server), t) for k, t in named if k[0] == kind)
        return
    for (k, server, name), target in snapshot.local.items():
        if k == kind and call.endpoint in ("", server):
            yield (name, server), target


def _entry(call: Call, target: Target) -> bytes:
    """One entry, under its downstream name where several servers are met."""
    raw = call.snapshot.definitions[target.digest].raw
    if call.endpoint or target.kind not in NAMED:
        return raw
    remembered = call.snapshot.listed
    key = (_RENDERED, target)
    known = remembered.get(key)
    if known is None:
        name = jsonrpc.encode(name_of(target))
        known = remembered.keep(key, jsonrpc.replaced(raw, {"name": name}))
    return known
