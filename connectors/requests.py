"""What leaves for an MCP upstream: the caller's parameters under the upstream's own names."""

from typing import Final

import msgspec

from mcp_gateway.core.call import Call
from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.wire import jsonrpc, modern, trace

CLIENT: Final = b'{"name":"mcp-gateway","version":"0.1.0"}'
RELAYED_EXTENSIONS: Final = ("io.modelcontextprotocol/ui",)
"""Extensions that are data alone: they pass without the gateway having to answer anything."""
EMPTY_META: Final = b"{}"


def outgoing(call: Call) -> bytes:
    """`call.outgoing` with the upstream's name in it; everything else stays byte-exact."""
    raw = call.outgoing.raw
    if call.method == "completion/complete" and call.target.kind == "prompt":
        ref = jsonrpc.encode({"type": "ref/prompt", "name": call.target.name})
        return jsonrpc.replaced(raw, {"ref": ref})
    if call.target.kind in ("tool", "prompt"):
        return jsonrpc.replaced(raw, {"name": jsonrpc.encode(call.target.name)})
    return raw


def mirrored(call: Call) -> str:
    """What `Mcp-Name` says of this call."""
    if call.target.kind in ("tool", "prompt", "resource"):
        return call.target.name
    return ""


def own_meta() -> bytes:
    """The `_meta` of a request of the gateway's own to a modern upstream."""
    return jsonrpc.encode(
        {
            modern.META_VERSION: modern.REVISION,
            modern.META_CAPABILITIES: {},
            modern.META_CLIENT: msgspec.Raw(CLIENT),
        }
    )


def with_modern_meta(call: Call, raw: bytes) -> bytes:
    """Stamps what 2026-07-28 requires on each request, and keeps the rest of `_meta`.

    Of the caller's capabilities only those are declared that the gateway relays.
    """
    meta = _meta(raw)
    stamped = jsonrpc.replaced(
        meta,
        {
            modern.META_VERSION: jsonrpc.encode(modern.REVISION),
            modern.META_CAPABILITIES: _capabilities(meta),
            modern.META_CLIENT: CLIENT,
            **_traced(call),
        },
    )
    return jsonrpc.replaced(raw, {"_meta": stamped})


def with_legacy_meta(call: Call, raw: bytes) -> bytes:
    """Takes out of `_meta` what only 2026-07-28 knows, and keeps the rest."""
    meta = _meta(raw)
    changes: dict[str, bytes | None] = {
        modern.META_VERSION: None,
        modern.META_CAPABILITIES: None,
        modern.META_CLIENT: None,
        modern.META_LOG_LEVEL: None,
        **_traced(call),
    }
    cleaned = jsonrpc.replaced(meta, changes)
    kept = None if cleaned == EMPTY_META else cleaned
    return jsonrpc.replaced(raw, {"_meta": kept})


def _meta(raw: bytes) -> bytes:
    found = jsonrpc.members(raw).get("_meta")
    return EMPTY_META if found is None else bytes(found)


def _traced(call: Call) -> dict[str, bytes | None]:
    if not call.trace:
        return {}
    return {"traceparent": jsonrpc.encode(trace.child(call.trace))}


def _capabilities(meta: bytes) -> bytes:
    declared = jsonrpc.members(meta).get(modern.META_CAPABILITIES)
    if declared is None:
        return b"{}"
    try:
        extensions = jsonrpc.members(jsonrpc.members(bytes(declared))["extensions"])
    except (KeyError, ValueError):
        return b"{}"
    relayed = {name: extensions[name] for name in RELAYED_EXTENSIONS if name in extensions}
    return jsonrpc.encode({"extensions": relayed}) if relayed else b"{}"


def answered(message: jsonrpc.Message, server: str) -> tuple[bytes, bool]:
    """The payload of a response and whether it is an error. Raises UpstreamFailed.

    A result is an object and so is its `_meta`; an error has a code and a message.
    """
    raw = message.error or message.result
    if not raw:
        raise UpstreamFailed(f"{server} answered with neither a result nor an error")
    try:
        found = jsonrpc.members(raw)
        if "_meta" in found:
            jsonrpc.members(bytes(found["_meta"]))
        if message.error:
            code, said = (
                jsonrpc.decode(bytes(found["code"])),
                jsonrpc.decode(bytes(found["message"])),
            )
            if not isinstance(code, int) or not isinstance(said, str):
                raise ValueError("an error has a whole code and a text")
    except (ValueError, KeyError):
        raise UpstreamFailed(f"{server} answered what is no result and no error") from None
    return raw, bool(message.error)
