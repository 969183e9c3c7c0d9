"""Listings: what this principal may use, each entry as the upstream wrote it."""

from collections.abc import Iterator
from operator import itemgetter
from typing import Any

import msgspec

from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.naming import downstream_name
from mcp_gateway.core.target import Kind, Target
from mcp_gateway.services import pages
from mcp_gateway.services.catalog import ADDRESSED, NAMED
from mcp_gateway.services.outcomes import SERVERS, outcomes_of
from mcp_gateway.wire import jsonrpc
from mcp_gateway.wire.modern import LISTINGS

TTL_MS = 1000
"""No longer than a revocation takes."""


def listing(call: Call, most: int) -> Result:
    """A page of at most `most` entries: filtered, private, in one order, whoever is asked.

    Raises InvalidRequest for a cursor that is none.
    """
    member, kind = LISTINGS[call.method]
    after = pages.position(call.params.view())
    ordered = sorted(_found(call, kind), key=itemgetter(0))
    allowed = call.snapshot.policy.prospect
    shown, cursor = pages.page(ordered, after, most, lambda t: allowed(call, t) != "deny")
    fields: dict[str, Any] = {}
    if after == pages.FIRST and (outcomes := outcomes_of(call)):
        fields["_meta"] = {SERVERS: outcomes}
    fields |= {
        member: [msgspec.Raw(_entry(call, target)) for target in shown],
        "resultType": "complete",
        "ttlMs": TTL_MS,
        "cacheScope": "private",
    }
    if cursor:
        fields["nextCursor"] = cursor
    return jsonrpc.body(jsonrpc.encode(fields))


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
    raw = call.snapshot.definitions[target.digest].raw
    if call.endpoint or target.kind not in NAMED:
        return raw
    name = downstream_name(target.server, target.name)
    return jsonrpc.replaced(raw, {"name": jsonrpc.encode(name)})
