"""Refusals as bytes: words that a model or a person can act on, and the status for the rest."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any, Final, Protocol

from mcp_gateway.core.call import Call
from mcp_gateway.core.entry import UNWRITTEN
from mcp_gateway.core.errors import (
    ConsentRequired,
    HeaderMismatch,
    InsufficientScope,
    InvalidState,
    MissingCapability,
    Overloaded,
    Refusal,
    UnknownTarget,
    UpstreamBusy,
    UpstreamFailed,
    UpstreamTimedOut,
)
from mcp_gateway.edge.asgi import JSON
from mcp_gateway.wire import jsonrpc, legacy

RECEIPT: Final = "io.github.mcp-gateway/receipt"
"""The key in `_meta` under which an answer carries where it stands in the ledger."""

Pair = tuple[bytes, bytes]
_PASSING: Final = (UpstreamFailed, UpstreamTimedOut, UpstreamBusy, Overloaded)
_PLAIN: Final = (
    InsufficientScope,
    UnknownTarget,
    HeaderMismatch,
    MissingCapability,
    InvalidState,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes on the wire: a status, headers, and one JSON-RPC message.

    That is empty where the message is a `flow`, and comes in pieces.
    """

    status: int
    headers: tuple[Pair, ...]
    message: bytes
    flow: "Flow | None" = None


class Flow(Protocol):
    """A message that is not held."""

    def pieces(self) -> AsyncGenerator[bytes, None]: ...

    def lost(self) -> bytes:
        """The message that answers whoever comes for it too late."""
        ...

    async def aclose(self) -> None: ...


def refused(call: Call, id_: bytes, refusal: Refusal, contact: str, *, modern: bool) -> Answer:
    """A refused tools/call is a result with `isError`, since `data` is never shown to a model.

    A missing scope or capability, an unknown name, a header that differs and an invalid state keep
    their status and code for tools/call too.
    """
    plain = isinstance(refusal, _PLAIN)
    if call.method == "tools/call" and not plain:
        return Answer(200, (JSON,), _as_result(call, id_, refusal, contact, modern=modern))
    code = refusal.code if modern else legacy.code_to_legacy(call.method, refusal.code)
    hidden = isinstance(refusal, UnknownTarget)
    said = refusal.reason if hidden else words(call, refusal, contact)
    message = jsonrpc.error(id_, code, said, None if hidden else _data(call, refusal))
    legacy_plain = not modern and not isinstance(refusal, InsufficientScope)
    return Answer(200 if legacy_plain else refusal.status, (JSON, *retry_after(refusal)), message)


def words(call: Call, refusal: Refusal, contact: str) -> str:
    """What was refused, by which rule, under which call id, whom to ask, and whether to retry."""
    rule = f" Rule: {refusal.rule}." if refusal.rule else ""
    said = f"Refused by the gateway ({refusal.slug}): {refusal.reason}.{rule} Call: {call.id}."
    return f"{said} {_advice(call, refusal, contact)}"


def _advice(call: Call, refusal: Refusal, contact: str) -> str:
    """Whether to call again. What failed on its way may have been done all the same."""
    failed = isinstance(refusal, _PASSING)
    unsure = failed and refusal.sent and sent(call)
    done = "It may have taken effect: look before you call again. " if unsure else ""
    if refusal.retry_after:
        return f"{done}Try again in {_seconds(refusal)} s."
    if isinstance(refusal, ConsentRequired):
        return f"Open the address, then call again. Ask {contact} if that does not help."
    if failed:
        return f"{done}It may pass; tell {contact} if it does not."
    return f"Do not retry: the answer will be the same. Ask {contact} if it should not be."


def sent(call: Call) -> bool:
    """Whether anything of it may have reached its upstream."""
    return call.attempts > 0


def with_receipt(raw: bytes, call: Call) -> bytes:
    """The result with its place in the ledger in `_meta`; every other byte as it was."""
    if call.receipt is UNWRITTEN:
        return raw
    receipt = {"log": call.receipt.log, "index": call.receipt.index, "call": call.id}
    # A list is the gateway's own, and may be long: nothing in it is looked at.
    listed = call.target.kind == "catalog" and raw.startswith(jsonrpc.NO_META[:-1])
    put = jsonrpc.with_first_meta if listed else jsonrpc.with_meta
    return put(raw, RECEIPT, jsonrpc.encode(receipt))


def _as_result(call: Call, id_: bytes, refusal: Refusal, contact: str, *, modern: bool) -> bytes:
    result: dict[str, Any] = {
        "content": [{"type": "text", "text": words(call, refusal, contact)}],
        "isError": True,
    }
    if modern:
        result["resultType"] = "complete"
    return jsonrpc.result(id_, with_receipt(jsonrpc.encode(result), call))


def _data(call: Call, refusal: Refusal) -> Mapping[str, Any]:
    data: dict[str, Any] = {"refusal": refusal.slug, "call": call.id}
    if refusal.rule:
        data["rule"] = refusal.rule
    if refusal.retry_after:
        data["retryAfter"] = round(refusal.retry_after, 3)
    if isinstance(refusal, MissingCapability):
        data["requiredCapabilities"] = refusal.required
    return data


def retry_after(refusal: Refusal) -> tuple[Pair, ...]:
    """The header that says when trying again may help, in whole seconds."""
    if not refusal.retry_after:
        return ()
    return ((b"retry-after", b"%d" % _seconds(refusal)),)


def _seconds(refusal: Refusal) -> int:
    """Rounded up: who comes back in the second that was named gets in."""
    return max(1, ceil(refusal.retry_after))
