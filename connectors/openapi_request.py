"""One operation with its arguments, as an HTTP request: each argument in its own place only."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, unquote

from connectors.openapi_document import WHOLE, Operation, Place
from mcp_gateway.core.errors import InvalidRequest
from mcp_gateway.wire import jsonrpc

_SEGMENT: Final = re.compile(r"[^/\\\x00-\x1f\x7f]+")
_HEADER: Final = re.compile(r"[\x20-\x7e]*")


@dataclass(frozen=True, slots=True)
class Prepared:
    """`path` begins with a slash, and has its query with it."""

    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


def prepared(operation: Operation, arguments: Any) -> Prepared:
    """The request. Raises InvalidRequest for arguments that the operation does not take."""
    given = _checked(operation, arguments)
    pairs = [_query(name, place, given[name]) for name, place in _in(operation, given, "query")]
    query = "&".join(filter(None, pairs))
    headers = [(name, _header(name, given[name])) for name, _ in _in(operation, given, "header")]
    path = _path(operation, given) + (f"?{query}" if query else "")
    return Prepared(path, tuple(headers), _body(operation, given))


def _checked(operation: Operation, arguments: Any) -> Mapping[str, Any]:
    """The arguments that are there: null is as good as absent, but in a body."""
    tool = operation.definition.name
    if not isinstance(arguments, dict):
        raise InvalidRequest(f"the arguments of {tool} are an object")
    if unknown := sorted(set(arguments) - set(operation.places)):
        raise InvalidRequest(f"{tool} takes no {', '.join(unknown)}")
    given = {
        name: value
        for name, value in arguments.items()
        if value is not None or operation.places[name].where == "body"
    }
    if missing := sorted(operation.required - set(given)):
        raise InvalidRequest(f"{tool} needs {', '.join(missing)}")
    for name, value in given.items():
        enum = operation.places[name].enum
        if enum and any(each not in enum for each in (value if _listed(value) else [value])):
            raise InvalidRequest(f"{name} is one of {', '.join(map(str, enum))}")
    return given


def _in(operation: Operation, given: Mapping[str, Any], where: str) -> list[tuple[str, Place]]:
    return [(n, p) for n, p in operation.places.items() if p.where == where and n in given]


def _path(operation: Operation, given: Mapping[str, Any]) -> str:
    path = operation.path
    for name, _ in _in(operation, given, "path"):
        path = path.replace(f"{{{name}}}", _segment(name, given[name]))
    if any({".", ".."} & set(_readings(part)) for part in path.split("/")):
        raise InvalidRequest(f"the arguments of {operation.definition.name} lead to another path")
    return path


def _segment(name: str, value: Any) -> str:
    """A value can only ever fill its own segment, also for who decodes it twice."""
    text = _text(name, value)
    if not all(map(_SEGMENT.fullmatch, _readings(text))):
        raise InvalidRequest(f"{name} is text without slashes, and not empty")
    return quote(text, safe="")


def _readings(text: str) -> tuple[str, ...]:
    """The text, and what those make of it who decode it once too often, or twice."""
    once = unquote(text)
    twice = unquote(once)
    return text, once, twice, unquote(twice)


def _query(name: str, place: Place, value: Any) -> str:
    texts = [quote(_text(name, each), safe="") for each in (value if _listed(value) else [value])]
    if place.explode:
        return "&".join(f"{quote(name, safe='')}={text}" for text in texts)
    return f"{quote(name, safe='')}={','.join(texts)}"


def _header(name: str, value: Any) -> str:
    text = _text(name, value)
    if not _HEADER.fullmatch(text):
        raise InvalidRequest(f"{name} is a line of plain text")
    return text


def _body(operation: Operation, given: Mapping[str, Any]) -> bytes:
    if operation.whole:
        return jsonrpc.encode(given[WHOLE]) if WHOLE in given else b""
    fields = {name: given[name] for name, _ in _in(operation, given, "body")}
    return jsonrpc.encode(fields) if operation.media else b""


def _listed(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return jsonrpc.encode(value).decode()
    raise InvalidRequest(f"{name} is a text, a number, true or false")
