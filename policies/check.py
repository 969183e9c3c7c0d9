"""What is wrong with rules that can each be read: cycles, contradictions, dead lines."""

from collections import defaultdict
from collections.abc import Iterator

from policies.rule import ANY, ROLE, Rule, Rules


def faults(rules: Rules) -> list[str]:
    """What no policy may have."""
    return [*_cycles(rules), *_contradictions(rules)]


def warnings(rules: Rules) -> list[str]:
    """What is probably not what its author meant."""
    return [*_shadowed(rules), *_memberless(rules)]


def _cycles(rules: Rules) -> Iterator[str]:
    above: dict[tuple[str, str], set[str]] = defaultdict(set)
    for link in rules.links:
        above[link.member, link.tenant].add(link.role)
    for link in rules.links:
        seen: set[str] = set()
        open_ = [link.role]
        while open_:
            role = open_.pop()
            if role == link.member:
                yield f"{link.where}: the role {role} contains itself"
                break
            if role not in seen:
                seen.add(role)
                open_.extend(above[role, link.tenant])


def _contradictions(rules: Rules) -> Iterator[str]:
    groups: dict[tuple[int, str, str], list[Rule]] = defaultdict(list)
    for rule in rules.rules:
        groups[rule.priority, rule.subject, rule.tenant].append(rule)
    for group in groups.values():
        denies = [rule for rule in group if not rule.grants]
        for rule in group:
            for deny in denies:
                if rule.grants and _overlap(rule, deny):
                    yield (
                        f"{deny.where}: {deny.id} denies what {rule.id} allows, at the same "
                        f"priority {rule.priority}: give one of them a lower number"
                    )


def _overlap(one: Rule, other: Rule) -> bool:
    actions = ANY in (one.action, other.action) or one.action == other.action
    parts = zip(one.target.split("/", 2), other.target.split("/", 2), strict=True)
    return actions and all(_meet(left, right) for left, right in parts)


def _meet(left: str, right: str) -> bool:
    """Whether some text fits both patterns, of literals and `*`."""
    if not left or not right:
        return set(left + right) <= {ANY}
    if left[0] == ANY:
        return _meet(left[1:], right) or _meet(left, right[1:])
    if right[0] == ANY:
        return _meet(left, right[1:]) or _meet(left[1:], right)
    return left[0] == right[0] and _meet(left[1:], right[1:])


def _shadowed(rules: Rules) -> Iterator[str]:
    groups: dict[tuple[str, str], list[Rule]] = defaultdict(list)
    for rule in rules.rules:
        earlier = groups[rule.subject, rule.tenant]
        for before in earlier:
            if before.action in (ANY, rule.action) and _contains(before.target, rule.target):
                yield f"{rule.where}: {rule.id} is never reached: {before.id} comes before it"
                break
        earlier.append(rule)


def _contains(wide: str, narrow: str) -> bool:
    """Whether every target of one pattern is a target of the other; False when unsure."""
    parts = zip(wide.split("/", 2), narrow.split("/", 2), strict=True)
    return all(a in (ANY, b) or (a.endswith(ANY) and b.startswith(a[:-1])) for a, b in parts)


def _memberless(rules: Rules) -> Iterator[str]:
    """Roles may also come with a token or a key, so this is only worth a word."""
    named = {link.role for link in rules.links}
    for role in sorted({r.subject for r in rules.rules if r.subject.startswith(ROLE)} - named):
        yield f"no g line gives anybody {role}: only tokens and keys can bring it"
