"""The rules by tenant, subject and server, so that a decision looks at few of them."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

from mcp_gateway.core.principal import Principal
from policies.rule import ANY, ROLE, RoleLink, Rule, Rules

_BY_ORDER: Final = attrgetter("order")
DEEPEST: Final = 64


@dataclass(frozen=True, slots=True)
class Chain:
    """A subject or role that a principal counts as, and through what."""

    subject: str
    through: str


class Index:
    """Immutable once built. What it leaves out cannot match: tenant, subject or server differ."""

    def __init__(self, rules: Rules) -> None:
        self._exact: dict[tuple[str, str, str], list[Rule]] = defaultdict(list)
        self._wild: dict[tuple[str, str], list[Rule]] = defaultdict(list)
        self._above: dict[tuple[str, str], list[RoleLink]] = defaultdict(list)
        self._servers: dict[str, re.Pattern[str]] = {}
        for rule in rules.rules:
            server = rule.target.split("/", 2)[1]
            if ANY in server:
                self._wild[rule.tenant, rule.subject].append(rule)
            else:
                self._exact[rule.tenant, rule.subject, server].append(rule)
        for link in rules.links:
            self._above[link.member, link.tenant].append(link)

    def subjects(self, principal: Principal) -> list[Chain]:
        """Everyone the principal counts as: anybody, themselves, and their roles upwards."""
        found = {ANY: Chain(ANY, "everyone")}
        open_ = [Chain(principal.identity, "itself")]
        open_ += [Chain(f"{ROLE}{role}", "the token or key") for role in principal.roles]
        while open_ and len(found) < DEEPEST * DEEPEST:
            chain = open_.pop()
            if chain.subject in found:
                continue
            found[chain.subject] = chain
            for tenant in (principal.tenant, ANY):
                for link in self._above.get((chain.subject, tenant), ()):
                    open_.append(Chain(link.role, f"{chain.subject} at {link.where}"))
        return list(found.values())

    def candidates(self, tenant: str, subjects: Iterable[str], server: str) -> list[Rule]:
        """The rules that could match, in the order in which they are asked."""
        found: list[Rule] = []
        for subject in subjects:
            for place in (tenant, ANY):
                found += self._exact.get((place, subject, server), ())
                found += self._wild.get((place, subject), ())
        return sorted(found, key=_BY_ORDER)
