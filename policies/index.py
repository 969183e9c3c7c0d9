"""The rules by tenant, subject and server, so that a decision looks at few of them."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

from mcp_gateway.core.principal import Principal
from mcp_gateway.core.target import Target
from policies.byname import ByName
from policies.rule import ANY, ROLE, RoleLink, Rule, Rules

_BY_ORDER: Final = attrgetter("order")
MOST_SUBJECTS: Final = 4096


@dataclass(frozen=True, slots=True)
class Chain:
    """A subject or role that a principal counts as, and through what."""

    subject: str
    through: str


class Candidates:
    """The rules that could match for some subjects on one server, in order.

    `named` says whether any of them lets the subjects know of the server.
    """

    __slots__ = ("_by_name", "named", "rules")

    def __init__(self, rules: Iterable[Rule], server: str) -> None:
        self.rules = tuple(sorted(rules, key=_BY_ORDER))
        self.named = any(rule.reveals(server) for rule in self.rules)
        self._by_name = ByName(self.rules)

    def first(self, target: Target, action: str) -> Rule | None:
        """The first rule that matches a target on this server."""
        return self._by_name.first(target, action)


class Index:
    """Immutable once built. What it leaves out cannot match: tenant, subject or server differ."""

    def __init__(self, rules: Rules) -> None:
        self._exact: dict[tuple[str, str, str], list[Rule]] = defaultdict(list)
        self._wild: dict[tuple[str, str], list[Rule]] = defaultdict(list)
        self._above: dict[tuple[str, str], list[RoleLink]] = defaultdict(list)
        self._mentioned = frozenset(rule.subject for rule in rules.rules)
        for rule in rules.rules:
            server = rule.pattern.server
            if server.starred:
                self._wild[rule.tenant, rule.subject].append(rule)
            else:
                self._exact[rule.tenant, rule.subject, server.text].append(rule)
        for link in rules.links:
            self._above[link.member, link.tenant].append(link)

    def subjects(self, principal: Principal) -> list[Chain]:
        """Everyone the principal counts as: anybody, themselves, and their roles upwards.

        Nobody at all for one with more than MOST_SUBJECTS roles: which of them to leave out
        would be a choice between their denials.
        """
        found = {ANY: Chain(ANY, "everyone")}
        open_ = [Chain(principal.identity, "itself")]
        open_ += [Chain(f"{ROLE}{role}", "the token or key") for role in sorted(principal.roles)]
        while open_:
            chain = open_.pop()
            if chain.subject in found:
                continue
            if len(found) > MOST_SUBJECTS:
                return []
            found[chain.subject] = chain
            for tenant in {principal.tenant, ANY}:
                for link in self._above.get((chain.subject, tenant), ()):
                    open_.append(Chain(link.role, f"{chain.subject} at {link.where}"))
        return list(found.values())

    def mentioned(self, principal: Principal) -> frozenset[str]:
        """Those of the principal's subjects that some rule is for."""
        return self._mentioned.intersection(c.subject for c in self.subjects(principal))

    def candidates(self, tenant: str, subjects: Iterable[str], server: str) -> Candidates:
        """The rules that could match, in the order in which they are asked."""
        found: list[Rule] = []
        for subject in subjects:
            for place in {tenant, ANY}:
                found += self._exact.get((place, subject, server), ())
                found += self._wild.get((place, subject), ())
        return Candidates(found, server)
