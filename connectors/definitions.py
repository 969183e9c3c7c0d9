"""Definitions: one entry of a listing, read, held against what can be reviewed, and digested."""

import hashlib
from typing import Any, Final

from connectors import shapes
from mcp_gateway.core.target import Definition, Kind, Mirror
from mcp_gateway.wire import jsonrpc, mirror
from mcp_gateway.wire.canonical import canonical, strict

LARGEST: Final = 256 * 1024
"""Bytes of one entry: what is larger fills a model's context, and nobody reviews it."""
NAME_OF: Final = {
    "tool": "name",
    "prompt": "name",
    "resource": "uri",
    "template": "uriTemplate",
}
_LONGEST: Final = {"tool": 256, "prompt": 256, "resource": 2048, "template": 2048}
_SHOWN: Final = 80
_HINTS: Final = {
    "readOnlyHint": "read_only",
    "destructiveHint": "destructive",
    "idempotentHint": "idempotent",
    "openWorldHint": "open_world",
}


def define(server: str, kind: Kind, item: Any) -> Definition:
    """An entry of the gateway's own making. Raises ValueError for one that cannot be served."""
    made = read(server, kind, jsonrpc.encode(item))
    if made.flaw:
        raise ValueError(f"{made.name}: {made.flaw}")
    return made


def read(server: str, kind: Kind, raw: bytes, position: int = 0) -> Definition:
    """One entry as an upstream sent it. What is wrong with it is its `flaw`.

    A flawed entry has no digest, so that it can never be taken for one that was reviewed; where
    its name cannot be read it goes by its `position` in the list.
    """
    name = f"(entry {position})"
    try:
        if len(raw) > LARGEST:
            raise ValueError(f"it has {len(raw)} bytes; at most {LARGEST} are read")
        item = strict(raw)
        name = _name(kind, item, name)
        shapes.check(kind, item)
        _check_name(kind, item[NAME_OF[kind]])
        mirrored = _mirrored(kind, item)
        digest = _digest(server, kind, item)
    except ValueError as error:
        return Definition(kind, server, _shown(name), b"{}", "", flaw=str(error))
    return Definition(kind, server, name, raw, digest, _labels(item), mirrored)


def _name(kind: Kind, item: Any, position: str) -> str:
    name = item.get(NAME_OF[kind]) if isinstance(item, dict) else None
    return name if isinstance(name, str) and name else position


def _check_name(kind: Kind, name: str) -> None:
    if not name:
        raise ValueError("its name is empty")
    if len(name) > _LONGEST[kind]:
        raise ValueError(f"its name has {len(name)} characters; at most {_LONGEST[kind]} are read")
    if not name.isprintable():
        raise ValueError("its name holds characters that cannot be seen")


def _mirrored(kind: Kind, item: dict[str, Any]) -> tuple[Mirror, ...]:
    return mirror.annotated(item["inputSchema"]) if kind == "tool" else ()


def _digest(server: str, kind: Kind, item: dict[str, Any]) -> str:
    """Two upstreams that list the same entry have two definitions, each reviewed on its own."""
    whole = b"\0".join((b"definition/1", kind.encode(), server.encode(), canonical(item)))
    return f"sha256:{hashlib.sha256(whole).hexdigest()}"


def _labels(item: dict[str, Any]) -> frozenset[str]:
    """What the upstream claims of its tool. Claims are shown, and widen nothing."""
    annotations = item.get("annotations")
    if not isinstance(annotations, dict):
        return frozenset()
    return frozenset(f"claims_{word}" for hint, word in _HINTS.items() if annotations.get(hint))


def _shown(name: str) -> str:
    """A name that may be anything, for people to read."""
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
