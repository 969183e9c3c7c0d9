"""An OpenAPI document as tools: which operations opt in, and where each argument goes.

Nothing is a tool unless its operation says so: `x-mcp: {enabled: true, name, description}`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from connectors.definitions import define
from connectors.openapi_schema import Schemas, an_object
from mcp_gateway.core.target import Definition
from mcp_gateway.wire.head import RESERVED

Where = Literal["path", "query", "header", "body"]
VERBS: Final = ("get", "put", "post", "patch", "delete")
WHOLE: Final = "body"
"""The argument that is the whole body, where its members cannot be arguments of their own."""
OURS: Final = RESERVED | {
    *("accept", "authorization", "content-encoding", "content-type", "cookie", "forwarded"),
    *("traceparent", "tracestate", "x-real-ip"),
}
"""Headers that no argument may fill: what they say is for the gateway to say."""
_OURS: Final = re.compile(r"(?:x-forwarded|mcp|sec|proxy)-.*")
_PATH: Final = re.compile(r"(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|\{[^{}/]+\})*)+")
_VARIABLE: Final = re.compile(r"\{([^{}/]+)\}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where an argument goes. `explode`: a list is a parameter for each of its values."""

    where: Where
    explode: bool = True
    enum: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation that opted in, as a tool. `media` is the type of its body, if it has one."""

    verb: str
    path: str
    definition: Definition
    places: Mapping[str, Place]
    required: frozenset[str]
    media: str = ""
    whole: bool = False
    """Whether the body is the one argument WHOLE, and not an object of several arguments."""


@dataclass(slots=True)
class _Inputs:
    """The arguments of an operation, being gathered."""

    properties: dict[str, Any] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    required: list[str] = field(default_factory=list)
    media: str = ""
    whole: bool = False

    def add(self, name: str, schema: Any, place: Place, *, required: bool) -> None:
        if name in self.places:
            raise ValueError(f"two arguments are called {name!r}")
        self.properties[name], self.places[name] = schema, place
        self.required += [name] if required else []


def operations(server: str, document: Any) -> Sequence[Operation]:
    """The operations that opted in. Raises ValueError for one that cannot become a tool."""
    found: dict[str, Operation] = {}
    for verb, path, item, spec in _opted_in(an_object(document, "an OpenAPI document")):
        try:
            operation = _operation(server, (verb, path), item, spec, Schemas(document))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{verb} {path}: {error}") from None
        if operation.definition.name in found:
            raise ValueError(
                f"{verb} {path}: there is a tool {operation.definition.name!r} already"
            )
        found[operation.definition.name] = operation
    return list(found.values())


def _opted_in(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Any, Any]]:
    for path, item in an_object(document.get("paths", {}), "paths").items():
        for verb in VERBS:
            spec = an_object(item, path).get(verb)
            if spec is None:
                continue
            extension = an_object(an_object(spec, f"{verb} {path}").get("x-mcp", {}), "x-mcp")
            if extension.get("enabled") is True:
                yield verb, path, item, spec


def _operation(
    server: str, at: tuple[str, str], item: Any, spec: Mapping[str, Any], schemas: Schemas
) -> Operation:
    verb, path = at
    extension = spec["x-mcp"]
    name = extension.get("name") or spec.get("operationId")
    if not name:
        raise ValueError("x-mcp needs a name, or the operation an operationId")
    inputs = _Inputs()
    for parameter in _parameters(item, spec, schemas):
        _parameter(inputs, parameter, schemas)
    if "requestBody" in spec:
        _body(inputs, schemas.followed(spec["requestBody"]), schemas)
    _check_path(path, inputs)
    tool = {
        "name": name,
        "description": extension.get("description") or spec.get("summary", ""),
        "inputSchema": schemas.complete(inputs.properties, inputs.required),
        "annotations": {
            "readOnlyHint": verb == "get",
            "destructiveHint": verb == "delete" or extension.get("destructive") is True,
            "idempotentHint": verb in ("get", "put", "delete"),
            "openWorldHint": False,
        },
    }
    required = frozenset(inputs.required)
    definition = define(server, "tool", tool)
    return Operation(verb, path, definition, inputs.places, required, inputs.media, inputs.whole)


def _parameters(item: Any, spec: Mapping[str, Any], schemas: Schemas) -> list[Mapping[str, Any]]:
    """Those of the operation, and those of its path that it does not say anew."""
    found: dict[tuple[Any, Any], Mapping[str, Any]] = {}
    for each in [*item.get("parameters", ()), *spec.get("parameters", ())]:
        parameter = schemas.followed(each)
        key = parameter.get("name"), parameter.get("in")
        if not all(isinstance(part, str) for part in key):
            raise ValueError("a parameter has a name, and says what it is in")
        found[key] = parameter
    return list(found.values())


def _parameter(inputs: _Inputs, parameter: Mapping[str, Any], schemas: Schemas) -> None:
    name, where, required = parameter["name"], parameter["in"], parameter.get("required") is True
    if where not in ("path", "query", "header") or (where == "header" and _ours(name)):
        if required:
            raise ValueError(f"no argument can fill {name!r} in {where}")
        return
    schema = schemas.own(parameter.get("schema", {}))
    if description := parameter.get("description"):
        schema = {**schema, "description": description}
    enum = schema.get("enum")
    place = Place(
        where, parameter.get("explode") is not False, tuple(enum) if isinstance(enum, list) else ()
    )
    inputs.add(name, schema, place, required=required or where == "path")


def _ours(header: str) -> bool:
    return header.lower() in OURS or bool(_OURS.fullmatch(header.lower()))


def _body(inputs: _Inputs, body: Mapping[str, Any], schemas: Schemas) -> None:
    content = an_object(body.get("content", {}), "content")
    media = next((m for m in content if m == "application/json" or m.endswith("+json")), "")
    if not media:
        if body.get("required") is True:
            raise ValueError("its body is not JSON")
        return
    inputs.media = media
    given = an_object(content[media], media).get("schema", {})
    schema = schemas.followed(given)
    members = schema.get("properties")
    plain = isinstance(members, dict) and not set(schema) & {"allOf", "anyOf", "oneOf", "not"}
    if not plain or not members or set(members) & set(inputs.places):
        inputs.whole = True
        inputs.add(WHOLE, schemas.own(given), Place("body"), required=body.get("required") is True)
        return
    required = schema.get("required", ())
    for name, member in members.items():
        inputs.add(name, schemas.own(member), Place("body"), required=name in required)


def _check_path(path: str, inputs: _Inputs) -> None:
    """A path is plain, and every variable of it is an argument, and the other way round."""
    if not _PATH.fullmatch(path) or any(part in (".", "..") for part in path.split("/")):
        raise ValueError("its path is none")
    filled = {name for name, place in inputs.places.items() if place.where == "path"}
    if filled != set(_VARIABLE.findall(path)):
        raise ValueError("the variables of its path are not those that its parameters fill")
