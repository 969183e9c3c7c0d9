"""Rules found by a target's name, so that a long policy is not read from end to end."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from mcp_gateway.core.patterns import Glob
from mcp_gateway.core.target import Target
from policies.rule import Rule

Bucket = list[tuple[str, Rule]]
"""Rules in order, each with a text that every name which it is about holds."""


class ByName:
    """Rules in order; those for one name, and the others by the literal start of theirs."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._exact: dict[str, Bucket] = defaultdict(list)
        self._starting: dict[int, dict[str, Bucket]] = {}
        for rule in rules:
            self.add(rule)

    def add(self, rule: Rule) -> None:
        """Adds one that comes after all the others."""
        name = rule.pattern.name
        entry = (name.needle, rule)
        if name.starred:
            starting = self._starting.setdefault(len(name.prefix), defaultdict(list))
            starting[name.prefix].append(entry)
        else:
            self._exact[name.text].append(entry)

    def first(self, target: Target, action: str) -> Rule | None:
        """The first rule that matches, of all of them."""
        found: Rule | None = None
        name = target.name
        for bucket in self._of(name, name):
            for needle, rule in bucket:
                if needle not in name:
                    continue
                if found and rule.order > found.order:
                    break
                if rule.matches(target, action):
                    found = rule
                    break
        return found

    def containing(self, name: Glob) -> Iterator[Rule]:
        """The rules that may be about all names of this pattern, and some that are not."""
        for bucket in self._of(name.text, name.prefix):
            for needle, rule in bucket:
                if needle in name.text:
                    yield rule

    def _of(self, text: str, start: str) -> Iterator[Bucket]:
        if exact := self._exact.get(text):
            yield exact
        for length, starting in self._starting.items():
            if bucket := starting.get(start[:length]):
                yield bucket
