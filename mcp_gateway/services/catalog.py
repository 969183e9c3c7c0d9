"""The catalog: targets from definitions, under the names that downstreams use. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from mcp_gateway.core.naming import downstream_name, folded
from mcp_gateway.core.target import Definition, Kind, Target

NAMED: Final[frozenset[Kind]] = frozenset({"tool", "prompt"})
"""The kinds that runtimes call by a name of their own making, and not by a URI."""


@dataclass(slots=True)
class Catalog:
    """The maps of a snapshot, being built."""

    names: dict[tuple[Kind, str], Target] = field(default_factory=dict)
    local: dict[tuple[Kind, str, str], Target] = field(default_factory=dict)
    definitions: dict[str, Definition] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)


def build(definitions: Iterable[Definition], requires: Mapping[str, frozenset[str]]) -> Catalog:
    """Every definition under its names. Two that would share one are both held back."""
    catalog = Catalog()
    claimed: dict[tuple[Kind, str], list[Target]] = defaultdict(list)
    shown: dict[tuple[Kind, str], str] = {}
    for definition in definitions:
        target = Target(
            definition.kind,
            definition.server,
            definition.name,
            definition.digest,
            definition.labels,
            requires.get(definition.server, frozenset()),
            definition.mirrored,
        )
        catalog.definitions[definition.digest] = definition
        catalog.local[definition.kind, definition.server, definition.name] = target
        name = name_of(target)
        key = definition.kind, folded(name) if definition.kind in NAMED else name
        claimed[key].append(target)
        shown[key] = name
    for key, targets in claimed.items():
        if len(targets) == 1:
            catalog.names[key[0], shown[key]] = targets[0]
            continue
        for target in targets:
            others = ", ".join(str(other) for other in targets if other is not target)
            catalog.held[str(target)] = f"its name is also that of {others}"
    return catalog


def name_of(target: Target) -> str:
    """What downstreams call it at /mcp. URIs and operations keep their own names."""
    if target.kind in NAMED:
        return downstream_name(target.server, target.name)
    return target.name
