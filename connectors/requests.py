"""What leaves for an MCP upstream: the caller's parameters under the upstream's own names."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import msgspec

from mcp_gateway.core.asking import AFRESH
from mcp_gateway.core.call import Call
from mcp_gateway.core.errors import InvalidRequest, UpstreamFailed
from mcp_gateway.wire import jsonrpc, modern, trace

CLIENT: Final = b'{"name":"mcp-gateway","version":"0.1.0"}'
_CLIENT: Final = msgspec.Raw(CLIENT)
_REVISION: Final = msgspec.Raw(jsonrpc.encode(modern.REVISION))
_NO_CAPABILITIES: Final = msgspec.Raw(b"{}")
_ANYWHERE: Final = (modern.UI,)
"""Extensions that are data alone. Whoever speaks an older revision can take no task."""
_ANSWERING: Final = ("elicitation", "sampling")
"""Capabilities to answer questions, passed on as they were declared."""
_LARGEST: Final = 4096
"""Bytes of declared capabilities: more than any client has to say."""
_MODERN_ONLY: Final = frozenset(
    {modern.META_VERSION, modern.META_CAPABILITIES, modern.META_CLIENT, modern.META_LOG_LEVEL}
)


def modern_params(call: Call) -> bytes:
    """What leaves for a 2026-07-28 upstream: its own name, and what each request must say.

    Everything else is `call.outgoing`, member by member. Of the caller's capabilities only those
    are declared that the gateway relays. A state goes back as the upstream gave it.
    """
    found = _renamed(call)
    if call.resumed is not AFRESH:
        _restore(found, call.resumed.state)
    if call.resumed.own:
        found.pop("inputResponses", None)  # of a question that the upstream never asked
    meta = _meta(found)
    meta[modern.META_VERSION] = _REVISION
    meta[modern.META_CAPABILITIES] = _declared(call, meta)
    meta[modern.META_CLIENT] = _CLIENT
    if call.declared is not None and call.declared.level:
        meta.setdefault(modern.META_LOG_LEVEL, msgspec.Raw(jsonrpc.encode(call.declared.level)))
    if call.trace:
        meta["traceparent"] = _traced(call)
    found["_meta"] = msgspec.Raw(jsonrpc.encode(meta))
    return jsonrpc.encode(found)


def legacy_params(call: Call) -> bytes:
    """What leaves for an upstream of the initialize era, without what only 2026-07-28 knows."""
    found = _renamed(call)
    meta = {name: value for name, value in _meta(found).items() if name not in _MODERN_ONLY}
    if call.trace:
        meta["traceparent"] = _traced(call)
    found.pop("_meta", None)
    if call.resumed is not AFRESH:
        found.pop("inputResponses", None)
        found.pop("requestState", None)
    if call.method == "tools/call":
        found.pop("task", None)  # of 2025-11-25: whose the task is, nobody would know
    if meta:
        found["_meta"] = msgspec.Raw(jsonrpc.encode(meta))
    return jsonrpc.encode(found)


def _renamed(call: Call) -> dict[str, msgspec.Raw]:
    """The members of the parameters, with the upstream's own name among them."""
    found = jsonrpc.members(call.outgoing.raw)
    if call.method == "completion/complete" and call.target.kind == "prompt":
        ref = {"type": "ref/prompt", "name": call.target.name}
        found["ref"] = msgspec.Raw(jsonrpc.encode(ref))
    elif call.target.kind in ("tool", "prompt"):
        found["name"] = msgspec.Raw(jsonrpc.encode(call.target.name))
    elif call.target.kind == "task":
        found["taskId"] = msgspec.Raw(jsonrpc.encode(call.resumed.task))
    return found


def mirrored(call: Call) -> str:
    """What `Mcp-Name` says of this call."""
    if call.target.kind in ("tool", "prompt", "resource"):
        return call.target.name
    return call.resumed.task


def own_meta(*extensions: str) -> bytes:
    """The `_meta` of a request of the gateway's own to a modern upstream, which knows these."""
    known: dict[str, object] = {name: {} for name in extensions}
    return jsonrpc.encode(
        {
            modern.META_VERSION: modern.REVISION,
            modern.META_CAPABILITIES: {"extensions": known} if known else {},
            modern.META_CLIENT: _CLIENT,
        }
    )


def _meta(found: Mapping[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    """The caller's `_meta`, by member. Raises InvalidRequest for one that is no object."""
    meta = bytes(found.get("_meta", b"null"))
    if meta == b"null":
        return {}
    if meta[:1] != b"{":
        raise InvalidRequest("_meta is an object")
    return jsonrpc.members(meta)


def _traced(call: Call) -> msgspec.Raw:
    return msgspec.Raw(jsonrpc.encode(trace.child(call.trace, trace.span_of(call.id))))


def _restore(found: dict[str, msgspec.Raw], state: str) -> None:
    """The state inside the caller's; nothing where the upstream gave none."""
    found.pop("requestState", None)
    if state:
        found["requestState"] = msgspec.Raw(jsonrpc.encode(state))


def _declared(call: Call, meta: Mapping[str, msgspec.Raw]) -> msgspec.Raw:
    """What the caller can answer: said in each request, or once for its session."""
    if call.declared is not None:
        return _relayed(call.declared.capabilities, _ANYWHERE)
    raw = meta.get(modern.META_CAPABILITIES)
    return _NO_CAPABILITIES if raw is None else _relayed(bytes(raw), modern.EXTENSIONS)


def _relayed(raw: bytes, extensions: tuple[str, ...]) -> msgspec.Raw:
    """Of declared capabilities those that are relayed; none where they cannot be read."""
    if raw == b"{}" or len(raw) > _LARGEST:
        return _NO_CAPABILITIES
    return _read(raw, extensions)


@lru_cache(maxsize=256)
def _read(raw: bytes, passing: tuple[str, ...]) -> msgspec.Raw:
    try:
        said = jsonrpc.members(raw)
        relayed = {name: said[name] for name in _ANSWERING if _is_object(said.get(name))}
        if _is_object(said.get("roots")):
            relayed["roots"] = _NO_CAPABILITIES  # that they change is not passed on
        extensions = jsonrpc.members(bytes(said.get("extensions", b"{}")))
    except ValueError:
        return _NO_CAPABILITIES
    kept = {name: extensions[name] for name in passing if name in extensions}
    if kept:
        relayed["extensions"] = msgspec.Raw(jsonrpc.encode(kept))
    return msgspec.Raw(jsonrpc.encode(relayed))


def _is_object(raw: msgspec.Raw | None) -> bool:
    return raw is not None and bytes(raw)[:1] == b"{"


def answered(message: jsonrpc.Message, server: str) -> tuple[bytes, bool]:
    """The payload of a response and whether it is an error. Raises UpstreamFailed.

    A result is an object and so is its `_meta`; an error has a code and a message.
    """
    raw = message.error or message.result
    if not raw:
        raise UpstreamFailed(f"{server} answered with neither a result nor an error")
    if not message.error and raw[:1] == b"{" and b"_meta" not in raw and b"\\" not in raw:
        return raw, False  # JSON it is, since the message was: nothing more is asked of it
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
