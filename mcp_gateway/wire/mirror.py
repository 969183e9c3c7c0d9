"""`Mcp-Param-*`: arguments that a request repeats in its headers (2026-07-28, SEP-2243). Pure."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NoReturn

from mcp_gateway.core.target import Mirror
from mcp_gateway.wire.modern import HEADER_MISMATCH, Mismatch, decode_header, encode_header

ANNOTATION: Final = "x-mcp-header"
PREFIX: Final = "mcp-param-"
MOST: Final = 64
"""Mirrored arguments of one tool: servers take about a hundred headers in all."""
LONGEST: Final = 128

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TYPES: Final = frozenset({"string", "integer", "boolean"})
_DECIMAL: Final = re.compile(r"-?[0-9]{1,400}(\.[0-9]{1,400})?")

# Where JSON Schema 2020-12 (and what came before it) has schemas within a schema.
_ONE: Final = frozenset(
    {"items", "additionalItems", "contains", "unevaluatedItems", "additionalProperties"}
    | {"propertyNames", "unevaluatedProperties", "not", "if", "then", "else", "contentSchema"}
)
_LISTS: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems", "items"})
_MAPS: Final = frozenset(
    {"patternProperties", "dependentSchemas", "dependencies", "$defs", "definitions"}
)

Path = tuple[str, ...] | None
"""How a schema is reached from the root by `properties` alone; None for any other way."""


def annotated(schema: Any) -> tuple[Mirror, ...]:
    """The arguments that a tool with this input schema mirrors.

    Raises ValueError with the reason for which no client may list the tool.
    """
    found: dict[str, Mirror] = {}
    for path, node in _positions(schema):
        if ANNOTATION in node:
            mirror = _mirror(path, node)
            if mirror.header in found:
                raise ValueError(f"{ANNOTATION} {node[ANNOTATION]!r} stands twice")
            found[mirror.header] = mirror
    if len(found) > MOST:
        raise ValueError(f"more than {MOST} arguments have an {ANNOTATION}")
    return tuple(found.values())


def headers(mirrors: Iterable[Mirror], arguments: Any) -> list[tuple[str, str]]:
    """What a request with these arguments carries. An argument that is absent has no header."""
    made = []
    for mirror in mirrors:
        text = _text(_at(arguments, mirror.path), mirror)
        if text is not None:
            made.append((mirror.header, encode_header(text)))
    return made


def check(mirrors: Sequence[Mirror], arguments: Any, pairs: Iterable[tuple[bytes, bytes]]) -> None:
    """Holds the headers of a request against its arguments. Raises Mismatch.

    Headers that the tool does not declare mean nothing to it, and are not looked at.
    """
    said: dict[str, list[bytes]] = defaultdict(list)
    for name, value in pairs:
        said[name.decode("latin-1").lower()].append(value)
    for mirror in mirrors:
        _check(mirror, _at(arguments, mirror.path), said[mirror.header])


def _positions(schema: Any) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Every schema within a schema. `$ref` is not followed, and data is not taken for one."""
    open_: list[tuple[Path, Any]] = [((), schema)]
    while open_:
        path, node = open_.pop()
        if not isinstance(node, dict):
            continue
        yield path, node
        for keyword, value in node.items():
            if keyword == "properties" and isinstance(value, dict):
                open_ += [(_below(path, name), inner) for name, inner in value.items()]
            else:
                open_ += [(None, inner) for inner in _inner(keyword, value)]


def _below(path: Path, name: str) -> Path:
    return None if path is None else (*path, name)


def _inner(keyword: str, value: Any) -> Iterable[Any]:
    if keyword in _LISTS and isinstance(value, list):
        return value
    if keyword in _MAPS and isinstance(value, dict):
        return value.values()
    return (value,) if keyword in _ONE else ()


def _mirror(path: Path, node: Mapping[str, Any]) -> Mirror:
    name, type_ = node[ANNOTATION], node.get("type")
    if not path:
        raise ValueError(f"{ANNOTATION} stands where `properties` alone do not lead")
    if not isinstance(name, str) or not _TOKEN.fullmatch(name) or len(name) > LONGEST:
        raise ValueError(f"{ANNOTATION} of {path[-1]!r} is not the end of a header's name")
    if not isinstance(type_, str) or type_ not in _TYPES:
        raise ValueError(f"{ANNOTATION} stands on {path[-1]!r}, which is no plain value")
    return Mirror(path, PREFIX + name.lower(), type_ == "integer")


def _at(arguments: Any, path: Iterable[str]) -> Any:
    for name in path:
        if not isinstance(arguments, dict):
            return None
        arguments = arguments.get(name)
    return arguments


def _text(value: Any, mirror: Mirror) -> str | None:
    """How a value reads in a header; None for one that no header has."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if mirror.integer and _whole(value):
        value = int(value)
    if not isinstance(value, str | int | float):
        return None
    try:
        return str(value)
    except ValueError:  # a number of thousands of digits
        return None


def _check(mirror: Mirror, value: Any, said: Sequence[bytes]) -> None:
    text = _text(value, mirror)
    if len(said) > 1:
        _differ(mirror, "stands twice")
    if text is None and said:
        _differ(mirror, f"is there, and the argument {mirror.path[-1]!r} is not")
    if text is None:
        return
    if not said:
        _differ(mirror, f"is missing: it repeats the argument {mirror.path[-1]!r}")
    if not _same(mirror, value, text, _decoded(mirror, said[0])):
        _differ(mirror, f"and the argument {mirror.path[-1]!r} differ")


def _decoded(mirror: Mirror, raw: bytes) -> str:
    sent = raw.decode("latin-1").strip(" \t")
    if not sent.isascii() or not sent.replace("\t", " ").isprintable():
        _differ(mirror, "holds characters that no header has")
    return decode_header(sent)


def _same(mirror: Mirror, value: Any, text: str, said: str) -> bool:
    """Whole numbers are compared as numbers: 42.0 is 42."""
    if mirror.integer and _whole(value):
        return bool(_DECIMAL.fullmatch(said)) and Decimal(said) == Decimal(text)
    return said == text


def _whole(value: Any) -> bool:
    if isinstance(value, float):
        return value.is_integer()
    return isinstance(value, int) and not isinstance(value, bool)


def _differ(mirror: Mirror, how: str) -> NoReturn:
    raise Mismatch(HEADER_MISMATCH, f"the header {mirror.header} {how}")
