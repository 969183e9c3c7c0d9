"""Outcomes: how each server fared in a list, as far as the caller may know of it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Literal

from mcp_gateway.core.call import Call
from mcp_gateway.core.snapshot import GATEWAY
from mcp_gateway.core.target import Target
from mcp_gateway.wire.modern import LISTINGS

SERVERS: Final = "io.github.mcp-gateway/servers"
"""The key in `_meta` under which the first page of a list says it."""

Outcome = Literal["ok", "stale", "absent"]


def outcomes_of(call: Call) -> Mapping[str, Outcome]:
    """By name. Of a server that the caller may not list nothing is said."""
    snapshot = call.snapshot
    asked = [call.endpoint] if call.endpoint else sorted(snapshot.upstreams)
    return {
        server: _outcome(call, server)
        for server in asked
        if server != GATEWAY and server in snapshot.upstreams and is_known(call, server)
    }


def is_known(call: Call, server: str) -> bool:
    """Whether the caller may list anything of it, and so know that it is there."""
    listing = call if call.method in LISTINGS else replace(call, method="tools/list", facts={})
    target = Target("catalog", server, listing.method)
    return call.snapshot.policy.prospect(listing, target) != "deny"


def _outcome(call: Call, server: str) -> Outcome:
    """Stale: what was served of it before goes on being served while it is in trouble."""
    if not call.snapshot.upstreams[server].trouble:
        return "ok"
    served = any(target.server == server for target in call.snapshot.local.values())
    return "stale" if served else "absent"
