"""Rules that get in each other's way: contradictions of equal priority, and dead rules."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from policies.byname import ByName
from policies.rule import ANY, Rule

Group = dict[tuple[str, str], list[Rule]]
"""Rules by subject and tenant."""


def contradictions(rules: Iterable[Rule]) -> Iterator[str]:
    """Pairs that say different things of one call, where only their place in a file decides."""
    by_priority: dict[int, Group] = defaultdict(lambda: defaultdict(list))
    for rule in rules:
        by_priority[rule.priority][rule.subject, rule.tenant].append(rule)
    for group in by_priority.values():
        for one, other in _pairs(group):
            if _says(one) != _says(other) and _overlap(one, other):
                yield (
                    f"{other.where}: {other.id} says {_says(other)} where {one.id} says "
                    f"{_says(one)}, at the same priority {one.priority}: give one of them a "
                    f"lower number"
                )


def shadowed(rules: Iterable[Rule]) -> Iterator[str]:
    """Rules that never decide, since an earlier one takes every call that they are about."""
    earlier: dict[tuple[str, str], ByName] = defaultdict(ByName)
    for rule in rules:
        places = {(s, t) for s in (rule.subject, ANY) for t in (rule.tenant, ANY)}
        before = (b for p in places & earlier.keys() for b in _containing(earlier[p], rule))
        if first := next(before, None):
            yield f"{rule.where}: {rule.id} is never reached: {first.id} comes before it"
        earlier[rule.subject, rule.tenant].add(rule)


def _pairs(group: Group) -> Iterator[tuple[Rule, Rule]]:
    """Every two rules that one principal may meet by the same subject, or by `*`."""
    tenants: dict[str, set[str]] = defaultdict(set)
    for subject, tenant in group:
        tenants[subject].add(tenant)
    for key, rules in group.items():
        for subject in tenants if key[0] == ANY else (key[0],):
            for tenant in tenants[subject]:
                other = (subject, tenant)
                if tenant in (ANY, key[1]) or key[1] == ANY:
                    yield from _once(rules, group[other], same=subject == key[0])


def _once(left: list[Rule], right: list[Rule], *, same: bool) -> Iterator[tuple[Rule, Rule]]:
    """The pairs of two groups, the earlier rule first; of one subject's both orders are asked."""
    for one in left:
        for other in right:
            if one.order < other.order:
                yield one, other
            elif not same and other.order < one.order:
                yield other, one


def _says(rule: Rule) -> str:
    return "deny until approved" if rule.asks else rule.effect.value


def _overlap(one: Rule, other: Rule) -> bool:
    """Whether some call fits both."""
    left, right = one.pattern, other.pattern
    return (
        (ANY in (one.action, other.action) or one.action == other.action)
        and left.name.meets(right.name)
        and left.server.meets(right.server)
        and bool(left.kinds & right.kinds)
    )


def _containing(earlier: ByName, rule: Rule) -> Iterator[Rule]:
    narrow = rule.pattern
    for before in earlier.containing(narrow.name):
        wide = before.pattern
        if (
            before.action in (ANY, rule.action)
            and wide.kinds >= narrow.kinds
            and wide.server.contains(narrow.server)
            and wide.name.contains(narrow.name)
        ):
            yield before
