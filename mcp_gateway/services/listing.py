"""Listings: what this principal may use, each entry as the upstream wrote it."""

from collections.abc import Iterator

import msgspec

from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.naming import downstream_name
from mcp_gateway.core.target import Kind, Target
from mcp_gateway.wire import jsonrpc
from mcp_gateway.wire.modern import LISTINGS

TTL_MS = 1000
"""No longer than a revocation takes."""


def listing(call: Call) -> Result:
    """The whole list: filtered, private, and never paged."""
    member, kind = LISTINGS[call.method]
    entries = [msgspec.Raw(_entry(call, target)) for target in _targets(call, kind)]
    fields = {
        member: entries,
        "resultType": "complete",
        "ttlMs": TTL_MS,
        "cacheScope": "private",
    }
    return jsonrpc.body(jsonrpc.encode(fields))


def _targets(call: Call, kind: str) -> Iterator[Target]:
    snapshot = call.snapshot
    if call.endpoint:
        found = [t for k, t in snapshot.local.items() if k[0] == kind and k[1] == call.endpoint]
    else:
        found = [target for key, target in snapshot.catalog.items() if key[0] == kind]
    for target in found:
        if snapshot.policy.prospect(call, target) != "deny":
            yield target


def _entry(call: Call, target: Target) -> bytes:
    raw = call.snapshot.definitions[target.digest].raw
    named: tuple[Kind, ...] = ("tool", "prompt")
    if call.endpoint or target.kind not in named:
        return raw
    name = downstream_name(target.server, target.name)
    return jsonrpc.replaced(raw, {"name": jsonrpc.encode(name)})
