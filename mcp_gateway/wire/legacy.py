"""MCP before 2026-07-28: the initialize era, and what changes at the border."""

from typing import Any, Final

import msgspec

from mcp_gateway.wire import jsonrpc
from mcp_gateway.wire.modern import CACHEABLE

REVISIONS: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
OLDEST: Final = REVISIONS[0]
LATEST: Final = REVISIONS[-1]
SESSION: Final = "mcp-session-id"
NOT_FOUND: Final = -32002
"""Resource not found, before 2026-07-28 (then -32602)."""
URL_ELICITATION: Final = -32042
"""A person has to open addresses first (2025-11-25)."""
LOG_LEVELS: Final = (
    *("debug", "info", "notice", "warning"),
    *("error", "critical", "alert", "emergency"),
)
"""From what is said most to what is said in need."""
_COMPLETE: Final = msgspec.Raw(b'"complete"')
_SHOWN: Final = 40


def negotiated(requested: Any) -> str:
    """The revision to answer `initialize` with: the client's if it is known, else the latest."""
    return requested if requested in REVISIONS else LATEST


def initialize_params(
    client: bytes, revision: str = LATEST, *, capabilities: bytes = b"{}"
) -> bytes:
    """What the gateway says to a legacy upstream. No capability is claimed but these."""
    return b'{"protocolVersion":%b,"capabilities":%b,"clientInfo":%b}' % (
        jsonrpc.encode(revision),
        capabilities,
        client,
    )


def result_to_modern(method: str, raw: bytes) -> bytes:
    """A legacy upstream's result in the core's dialect: nothing is taken out of it.

    It is whole, whatever it says: before 2026-07-28 no result asked anything.
    """
    found = jsonrpc.members(raw)
    changes: dict[str, bytes | None] = {}
    if bytes(found.get("resultType", b"")) != b'"complete"':
        changes["resultType"] = b'"complete"'
    if method in CACHEABLE:
        if "ttlMs" not in found:
            changes["ttlMs"] = b"0"
        if "cacheScope" not in found:
            changes["cacheScope"] = b'"private"'
    return jsonrpc.replaced(raw, changes) if changes else raw


class Untranslatable(Exception):
    """A result that MCP before 2026-07-28 cannot say."""


def result_to_legacy(method: str, raw: bytes) -> bytes:
    """A result for a legacy downstream, without the members that only 2026-07-28 knows.

    Raises Untranslatable for a result of another type than a whole one.
    """
    found = jsonrpc.members(raw)
    type_ = bytes(found.pop("resultType", _COMPLETE))
    if type_ != b'"complete"' and jsonrpc.decode(type_) != "complete":
        shown = type_[:_SHOWN].decode("utf-8", "replace")
        raise Untranslatable(f"a result of the type {shown} is not of this protocol version")
    if method in CACHEABLE:
        found.pop("ttlMs", None)
        found.pop("cacheScope", None)
    return jsonrpc.encode(found)


def code_to_modern(method: str, code: int) -> int:
    return jsonrpc.INVALID_PARAMS if method == "resources/read" and code == NOT_FOUND else code


def code_to_legacy(method: str, code: int) -> int:
    not_found = method == "resources/read" and code == jsonrpc.INVALID_PARAMS
    return NOT_FOUND if not_found else code


def loud_enough(said: Any, wanted: str) -> bool:
    """Whether a log message of one level is for who wants another; any, where either is none."""
    if said not in LOG_LEVELS or wanted not in LOG_LEVELS:
        return True
    return LOG_LEVELS.index(said) >= LOG_LEVELS.index(wanted)
