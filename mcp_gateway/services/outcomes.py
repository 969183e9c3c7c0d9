"""Outcomes: how each server fared in a list, as far as the caller may know of it."""

from collections.abc import Mapping
from typing import Final, Literal

from mcp_gateway.core.call import Call
from mcp_gateway.core.snapshot import GATEWAY
from mcp_gateway.core.target import Target

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
        if server != GATEWAY and server in snapshot.upstreams and _known(call, server)
    }


def _known(call: Call, server: str) -> bool:
    target = Target("catalog", server, call.method)
    return call.snapshot.policy.prospect(call, target) != "deny"


def _outcome(call: Call, server: str) -> Outcome:
    """Stale: what was served of it before goes on being served while it is in trouble."""
    if not call.snapshot.upstreams[server].trouble:
        return "ok"
    served = any(key[1] == server for key in call.snapshot.local)
    return "stale" if served else "absent"
