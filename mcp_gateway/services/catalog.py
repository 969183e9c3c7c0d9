"""The catalog: targets from definitions, under the names that downstreams use. Pure."""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from mcp_gateway.core.naming import downstream_name, folded
from mcp_gateway.core.snapshot import GATEWAY, Wording
from mcp_gateway.core.target import Definition, Kind, Target
from mcp_gateway.wire import jsonrpc

NAMED: Final[frozenset[Kind]] = frozenset({"tool", "prompt"})
"""The kinds that runtimes call by a name of their own making, and not by a URI."""
ADDRESSED: Final[frozenset[Kind]] = frozenset({"resource", "template"})
"""The kinds that go by a URI, which the gateway leaves as it is: several servers may have it."""
LONGEST: Final = 2048
"""Characters of a URI that a tool shows."""
_CONNECT: Final = "connect_"
NO_LABELS: Final[Mapping[str, frozenset[str]]] = {}

Key = tuple[Kind, str]


@dataclass(slots=True)
class Catalog:
    """The maps of a snapshot, being built."""

    names: dict[Key, Target] = field(default_factory=dict)
    local: dict[tuple[Kind, str, str], Target] = field(default_factory=dict)
    definitions: dict[str, Definition] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)
    claims: dict[Key, tuple[Target, ...]] = field(default_factory=dict)
    wordings: dict[Wording, Target] = field(default_factory=dict)


def build(
    definitions: Iterable[Definition],
    requires: Mapping[str, frozenset[str]],
    connected: Iterable[str] = (),
    labels: Mapping[str, frozenset[str]] = NO_LABELS,
    personal: Container[str] = (),
) -> Catalog:
    """Every definition under its names, in one order whatever the order of the definitions.

    `labels` are what the configuration says of servers, and every target of theirs bears.

    Of the servers that are `connected` by each person, the gateway's own tool that does so is
    found at their own endpoints too. Servers whose lists are `personal` may have a name in several
    wordings: the first of them stands for it, until it is known who asks.

    Two tools or prompts that would share a name are both held back. A URI of several servers is
    claimed by each of them; whoever is asked for it decides whose is meant.
    """
    catalog = Catalog()
    claimed: dict[Key, list[Target]] = defaultdict(list)
    for definition in sorted(definitions, key=lambda d: (d.kind, d.server, d.name)):
        target = _target(definition, requires, labels)
        catalog.definitions[definition.digest] = definition
        if target.server in personal:
            catalog.wordings[target.kind, target.server, target.name, target.digest] = target
            if (target.kind, target.server, target.name) in catalog.local:
                continue
        catalog.local[target.kind, target.server, target.name] = target
        claimed[_key(target)].append(target)
    for target in _shown(catalog):
        claimed[_key(target)].append(target)
    for key in sorted(claimed):
        _enter(catalog, key, claimed[key])
    for server in sorted(connected):
        if tool := catalog.local.get(("tool", GATEWAY, connect_name(server))):
            catalog.local.setdefault(("tool", server, tool.name), tool)
    return catalog


def name_of(target: Target) -> str:
    """What downstreams call it at /mcp. URIs and operations keep their own names."""
    if connects(target):
        return target.name
    if target.kind in NAMED:
        return downstream_name(target.server, target.name)
    return target.name


def connect_name(server: str) -> str:
    """What the gateway's own tool is called that connects a server."""
    return _CONNECT + server


def connects(target: Target) -> str:
    """The server that this tool of the gateway's own connects; empty for all others."""
    if target.server != GATEWAY or target.kind != "tool":
        return ""
    return target.name.removeprefix(_CONNECT) if target.name.startswith(_CONNECT) else ""


def _target(
    definition: Definition,
    requires: Mapping[str, frozenset[str]],
    labels: Mapping[str, frozenset[str]],
) -> Target:
    return Target(
        definition.kind,
        definition.server,
        definition.name,
        definition.digest,
        definition.labels | labels.get(definition.server, frozenset()),
        requires.get(definition.server, frozenset()),
        definition.mirrored,
    )


def _key(target: Target) -> Key:
    name = name_of(target)
    return target.kind, folded(name) if target.kind in NAMED else name


def _enter(catalog: Catalog, key: Key, targets: list[Target]) -> None:
    first = targets[0]
    listed = (first.kind, first.server, first.name) in catalog.local
    if len(targets) == 1 and listed:
        catalog.names[key[0], name_of(first)] = first
    elif key[0] in ADDRESSED:
        catalog.claims[key] = tuple(targets)
    else:
        for target in targets:
            others = ", ".join(str(other) for other in targets if other is not target)
            catalog.held[str(target)] = f"its name is also that of {others}"


def _shown(catalog: Catalog) -> Iterator[Target]:
    """The resources that tools show and their servers do not list (MCP Apps), once each."""
    seen = set(catalog.local)
    for (kind, server, _), tool in catalog.local.items():
        uri = shown_by(catalog.definitions[tool.digest].raw) if kind == "tool" else ""
        key: tuple[Kind, str, str] = ("resource", server, uri)
        if uri and key not in seen:
            seen.add(key)
            yield replace(tool, kind="resource", name=uri, mirrored=())


def shown_by(raw: bytes) -> str:
    """The `ui://` resource that a tool's definition names, by either of its keys; else empty."""
    if b"resourceUri" not in raw:
        return ""
    meta = jsonrpc.decode(raw).get("_meta")
    if not isinstance(meta, dict):
        return ""
    ui = meta.get("ui")
    uri = ui.get("resourceUri") if isinstance(ui, dict) else meta.get("ui/resourceUri")
    if not isinstance(uri, str) or not uri.startswith("ui://") or len(uri) > LONGEST:
        return ""
    return uri if uri.isprintable() else ""
