"""Rule and RoleLink: the lines of a policy, once read."""

from dataclasses import dataclass

from mcp_gateway.core.decision import Effect, Obligation

ANY = "*"
ROLE = "role:"


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
    def asks(self) -> bool:
        """A deny that owes an approval is an allow once that is given."""
        return any(o.name == "approval" for o in self.obligations)

    @property
    def grants(self) -> bool:
        return self.effect is Effect.ALLOW or self.asks


@dataclass(frozen=True, slots=True)
class RoleLink:
    """A `g` line: `member` (a subject or a role) has `role` in `tenant`."""

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
