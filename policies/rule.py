"""Rule and RoleLink: the lines of a policy, once read."""

from dataclasses import dataclass
from typing import Final

from mcp_gateway.core.asking import QUESTIONS
from mcp_gateway.core.decision import Effect, Obligation
from mcp_gateway.core.patterns import Pattern, compiled
from mcp_gateway.core.target import Target

ANY: Final = "*"
ROLE: Final = "role:"
_BESIDE: Final = frozenset({"catalog", "subscription", "task"})


@dataclass(frozen=True, slots=True)
class Rule:
    """A `p` line. `order` is its place after sorting by priority; `where` is "file:line"."""

    priority: int
    id: str
    subject: str
    tenant: str
    target: str
    action: str
    effect: Effect
    obligations: frozenset[Obligation]
    where: str
    order: int = 0

    @property
    def pattern(self) -> Pattern:
        return compiled(self.target)

    @property
    def asks(self) -> bool:
        """A deny that owes an approval is an allow once that is given."""
        return self.effect is Effect.DENY and any(o.name == "approval" for o in self.obligations)

    @property
    def grants(self) -> bool:
        return self.effect is Effect.ALLOW or self.asks

    def matches(self, target: Target, action: str) -> bool:
        """Whether it is about this, for a subject to whom it applies."""
        return self.action in (ANY, action) and self.pattern.covers(target)

    def reveals(self, server: str) -> bool:
        """Whether it lets its subject know that the server exists.

        Who may be asked, list, listen or wait may do so wherever they may do something else.
        """
        if not self.grants or self.action in QUESTIONS:
            return False
        pattern = self.pattern
        return bool(pattern.kinds - _BESIDE) and pattern.on(server)


@dataclass(frozen=True, slots=True)
class RoleLink:
    """A `g` line: `member` (a subject or a role) has `role` in `tenant`, `*` in every one."""

    member: str
    role: str
    tenant: str
    where: str


@dataclass(frozen=True, slots=True)
class Rules:
    """A whole policy, its rules in the order in which they are asked."""

    rules: tuple[Rule, ...]
    links: tuple[RoleLink, ...]
    digest: str
