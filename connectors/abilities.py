"""Abilities: which questions of an upstream's the client of a call can answer."""

import functools
from collections.abc import Iterable, Mapping
from typing import Any, Final

from mcp_gateway.core.call import Call
from mcp_gateway.wire import jsonrpc, modern

Abilities = frozenset[str]
"""Capabilities as paths, out of `ALL`: so there are few sets of them, whatever clients write."""

FORM: Final = "elicitation/form"
URL: Final = "elicitation/url"
SAMPLING: Final = "sampling"
TOOLS: Final = "sampling/tools"
ROOTS: Final = "roots"
NONE: Final[Abilities] = frozenset()
ALL: Final[Abilities] = frozenset({FORM, URL, SAMPLING, TOOLS, "sampling/context", ROOTS})
MOST: Final = 4096
"""Bytes of the capabilities of a session; who says more can answer nothing."""


def of(call: Call) -> Abilities:
    """What the request said, or its session when it began."""
    if call.declared is not None:
        return _of_raw(call.declared.capabilities)
    meta = call.params.view().get("_meta")
    said = meta.get(modern.META_CAPABILITIES) if isinstance(meta, dict) else None
    return _of(said) if said else NONE


def encoded(abilities: Abilities) -> bytes:
    """The object that declares them in `initialize`."""
    declared: dict[str, dict[str, Any]] = {}
    for path in sorted(abilities):
        name, _, inner = path.partition("/")
        members = declared.setdefault(name, {})
        if inner:
            members[inner] = {}
    return jsonrpc.encode(declared)


@functools.lru_cache(maxsize=256)
def _of_raw(raw: bytes) -> Abilities:
    try:
        return _of(jsonrpc.decode(raw)) if len(raw) <= MOST else NONE
    except ValueError:
        return NONE


def _of(said: Any) -> Abilities:
    if not isinstance(said, dict):
        return NONE
    return frozenset(_paths(said)) & ALL


def _paths(said: Mapping[str, Any]) -> Iterable[str]:
    for name in ("elicitation", "sampling", "roots"):
        members = said.get(name)
        if isinstance(members, dict):
            yield name
            yield from (f"{name}/{inner}" for inner, value in members.items() if value is not None)
            if name == "elicitation" and not {"form", "url"} & members.keys():
                yield FORM  # before 2025-11-25 there was nothing else to say
