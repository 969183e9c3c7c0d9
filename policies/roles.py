"""Roles within roles: cycles, chains that are too long, and roles that nobody has."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Final

from policies.rule import ANY, ROLE, RoleLink, Rules

Above = Mapping[str, set[str]]
DEEPEST: Final = 8
"""Links from a role to one that it is by way of others: as far as every Casbin follows them."""


def faults(rules: Rules) -> Iterator[str]:
    """Cycles and long chains of every tenant, together with the links of all tenants."""
    said: set[str] = set()
    for tenant in dict.fromkeys(link.tenant for link in rules.links):
        links = [link for link in rules.links if link.tenant in (tenant, ANY)]
        said.update(_faults(links))
    yield from sorted(said)


def memberless(rules: Rules) -> Iterator[str]:
    """Roles may also come with a token or a key, so this is only worth a word.

    In a policy without any g line they all do, and there is nothing to say.
    """
    named = {link.role for link in rules.links}
    if not named:
        return
    for role in sorted({r.subject for r in rules.rules if r.subject.startswith(ROLE)} - named):
        yield f"no g line gives anybody {role}: only tokens and keys can bring it"


def _faults(links: list[RoleLink]) -> Iterator[str]:
    above: dict[str, set[str]] = defaultdict(set)
    for link in links:
        above[link.member].add(link.role)
    try:
        ordered = list(TopologicalSorter(above).static_order())
    except CycleError as error:
        yield _cycle(error.args[1], links)
        return
    yield from _too_deep(ordered, above, links)


def _cycle(around: list[str], links: list[RoleLink]) -> str:
    found = set(around)
    where = next(link.where for link in links if link.member in found and link.role in found)
    path = " in ".join(reversed(around))
    return f"{where}: the role {around[0]} contains itself: {path}"


def _too_deep(ordered: list[str], above: Above, links: list[RoleLink]) -> Iterator[str]:
    """`ordered` has every role before those that have it."""
    depth: dict[str, int] = {}
    for name in ordered:
        depth[name] = max((depth[role] + 1 for role in above.get(name, ())), default=0)
    for link in links:
        if depth[link.member] == DEEPEST + 1 and depth[link.role] == DEEPEST:
            yield f"{link.where}: {link.member} has roles within roles more than {DEEPEST} deep"
