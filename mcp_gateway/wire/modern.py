"""MCP 2026-07-28, the core's own dialect: headers, `_meta`, statuses."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from mcp_gateway.core.target import Kind
from mcp_gateway.wire import jsonrpc
from mcp_gateway.wire.jsonrpc import INVALID_PARAMS, Message

REVISION: Final = "2026-07-28"
_NAMESPACE: Final = "io.modelcontextprotocol/"
META_VERSION: Final = _NAMESPACE + "protocolVersion"
META_CAPABILITIES: Final = _NAMESPACE + "clientCapabilities"
META_CLIENT: Final = _NAMESPACE + "clientInfo"
META_SERVER: Final = _NAMESPACE + "serverInfo"
META_LOG_LEVEL: Final = _NAMESPACE + "logLevel"
META_SUBSCRIPTION: Final = _NAMESPACE + "subscriptionId"
UI: Final = _NAMESPACE + "ui"
TASKS: Final = _NAMESPACE + "tasks"
SKILLS: Final = _NAMESPACE + "skills"
EXTENSIONS: Final = (UI, TASKS, SKILLS)
"""What passes between a caller and an upstream of this revision."""

_ENCODED: Final = re.compile(r"=\?base64\?(.*)\?=", re.ASCII)

HEADER_MISMATCH: Final = -32020
MISSING_CAPABILITY: Final = -32021
UNSUPPORTED_VERSION: Final = -32022

NAME_OF: Final[Mapping[str, str]] = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    "tasks/get": "taskId",
    "tasks/update": "taskId",
    "tasks/cancel": "taskId",
}
"""The parameter that a request mirrors in `Mcp-Name`, by method."""

HTTP_STATUS: Final[Mapping[int, int]] = {
    -32700: 400,
    -32600: 400,
    -32601: 404,
    -32602: 400,
    -32020: 400,
    -32021: 400,
    -32022: 400,
}
"""The HTTP status of a JSON-RPC error code; 200 for the others."""

CACHEABLE: Final = frozenset(
    {
        "server/discover",
        "tools/list",
        "prompts/list",
        "resources/list",
        "resources/templates/list",
        "resources/read",
    }
)
KEPT: Final = CACHEABLE | {"skills/list", "skills/get", "resources/directory/read"}
"""The methods whose results say how long they may be kept, those of SEP-2640 among them."""
LISTINGS: Final[Mapping[str, tuple[str, Kind]]] = {
    "tools/list": ("tools", "tool"),
    "prompts/list": ("prompts", "prompt"),
    "resources/list": ("resources", "resource"),
    "resources/templates/list": ("resourceTemplates", "template"),
}
"""The member of a listing's result, and the kind of target that it lists, by method."""


_ALWAYS: Final = (
    ("content-type", "application/json"),
    ("accept", "application/json, text/event-stream"),
    ("mcp-protocol-version", REVISION),
)


class Mismatch(Exception):
    """A request whose headers and body do not say the same, or not enough."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


def encode_header(value: str) -> str:
    """A header value: as it is when it is plain ASCII, else `=?base64?…?=`."""
    plain = value.isascii() and value.isprintable() and value == value.strip()
    if plain and not value.startswith("=?base64?"):
        return value
    return f"=?base64?{base64.b64encode(value.encode()).decode()}?="


def decode_header(value: str) -> str:
    """The reverse of `encode_header`. Raises Mismatch for a broken encoding."""
    encoded = _ENCODED.fullmatch(value)
    if not encoded:
        return value
    try:
        decoded = base64.b64decode(encoded[1], validate=True)
        # The decoder takes texts that no encoder makes: two of them would be one value.
        if base64.b64encode(decoded).decode() == encoded[1]:
            return decoded.decode()
    except (binascii.Error, UnicodeDecodeError):
        pass
    raise Mismatch(HEADER_MISMATCH, "a header has a broken =?base64?…?= value")


def check(headers: Mapping[bytes, bytes], message: Message) -> None:
    """Holds the headers of a request against its body. Raises Mismatch.

    The order is that of the specification: what `_meta` must have, then headers equal to the
    body, then a version that is spoken here.
    """
    view = message.params.view()
    meta = view.get("_meta")
    if not isinstance(meta, dict) or META_VERSION not in meta or META_CAPABILITIES not in meta:
        raise Mismatch(INVALID_PARAMS, f"_meta has {META_VERSION} and {META_CAPABILITIES}")
    _equal(headers, b"mcp-protocol-version", meta[META_VERSION])
    _equal(headers, b"mcp-method", message.method)
    if mirrored := NAME_OF.get(message.method):
        if not isinstance(view.get(mirrored), str):
            raise Mismatch(INVALID_PARAMS, f"{message.method} has a string {mirrored!r}")
        _equal(headers, b"mcp-name", view[mirrored])
    if meta[META_VERSION] != REVISION:
        raise Mismatch(
            UNSUPPORTED_VERSION,
            f"protocol version {meta[META_VERSION]!r} is not spoken here",
            {"supported": [REVISION], "requested": meta[META_VERSION]},
        )


def _equal(headers: Mapping[bytes, bytes], name: bytes, value: Any) -> None:
    sent = headers.get(name)
    if sent is None:
        raise Mismatch(HEADER_MISMATCH, f"the header {name.decode()} is missing")
    text = sent.decode("latin-1")
    if text == value and text[:1] != "=":
        return
    if decode_header(text.strip()) != value:
        raise Mismatch(HEADER_MISMATCH, f"the header {name.decode()} and the body differ")


def request_headers(method: str, name: str) -> list[tuple[str, str]]:
    """What a request to a modern upstream carries; `name` is what `Mcp-Name` mirrors, or ""."""
    headers = [*_ALWAYS, ("mcp-method", method)]
    if method in NAME_OF:
        headers.append(("mcp-name", encode_header(name)))
    return headers


def clamped(raw: bytes, most_ms: int) -> bytes:
    """A result that may be kept, as private and for no longer than `most_ms`.

    It was decided for one caller, and may be decided otherwise once a revocation has taken
    effect. What asks first is no result that may be kept.
    """
    found = jsonrpc.members(raw)
    if _value(found.get("resultType")) not in (None, "complete"):
        return raw
    found["ttlMs"] = msgspec.Raw(b"%d" % _within(found.get("ttlMs"), most_ms))
    found["cacheScope"] = msgspec.Raw(b'"private"')
    return jsonrpc.encode(found)


def _within(said: msgspec.Raw | None, most: int) -> int:
    """What was said, where that is a time and no longer; 0 for what is none."""
    value = _value(said)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return max(0, min(int(min(value, most)), most))


def _value(said: msgspec.Raw | None) -> Any:
    """What a member holds; None for none, and for what nobody can read."""
    try:
        return None if said is None else jsonrpc.decode(bytes(said))
    except ValueError:
        return None
