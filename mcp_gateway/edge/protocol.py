"""What the gateway answers itself, without an upstream: discovery, `initialize`, `ping`."""

from typing import Any, Final

from mcp_gateway.core.call import Call
from mcp_gateway.services import offers
from mcp_gateway.wire import jsonrpc, legacy, modern

SERVER: Final = {"name": "mcp-gateway", "title": "MCP gateway", "version": "0.1.0"}
INSTRUCTIONS: Final = (
    "Several servers stand behind this gateway; the tools of one begin with its name. You see what "
    "you may use. A refusal is a decision: do not call again, read it to the person, and offer "
    "gateway__explain_denial and gateway__request_access."
)
ANSWERED: Final = frozenset(
    {"server/discover", "initialize", "ping", "logging/setLevel"}
    | {"resources/subscribe", "resources/unsubscribe"}
)
_SINCE_REMOVED: Final[dict[str, Any]] = {"logging": {}}
"""Capabilities that the gateway itself gives a client of the initialize era."""


def visible(call: Call) -> bool:
    """Whether the principal may know of the one server of this endpoint."""
    if not call.endpoint:
        return True
    if call.endpoint not in call.snapshot.upstreams:
        return False
    return offers.visible(call, call.endpoint)


def discovered(call: Call, ttl_ms: int) -> bytes:
    return jsonrpc.encode(
        {
            "supportedVersions": [modern.REVISION],
            "capabilities": offers.capabilities(call, newest=True),
            "instructions": INSTRUCTIONS,
            "resultType": "complete",
            "ttlMs": ttl_ms,
            "cacheScope": "private",
            "_meta": {modern.META_SERVER: SERVER},
        }
    )


def initialized(call: Call, requested: Any) -> tuple[str, bytes]:
    """The revision that was agreed on, and the result that says so."""
    revision = legacy.negotiated(requested)
    result = {
        "protocolVersion": revision,
        "capabilities": {**offers.capabilities(call, newest=False), **_SINCE_REMOVED},
        "serverInfo": SERVER,
        "instructions": INSTRUCTIONS,
    }
    return revision, jsonrpc.encode(result)
