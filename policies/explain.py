"""Why: which rule decides, and what became of the others that were looked at."""

from dataclasses import dataclass

from mcp_gateway.core.decision import Decision
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.target import Target
from policies.engine import Engine, placed
from policies.index import Chain
from policies.rule import Rule

SHOWN = 20
ASKING = frozenset({"approval", "confirm"})


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision with its reasons. `missed` are the rules asked before the one that decided."""

    principal: Principal
    target: Target
    action: str
    decision: Decision
    chains: tuple[Chain, ...]
    decided: Rule | None
    missed: tuple[tuple[Rule, str], ...]

    @property
    def word(self) -> str:
        """ALLOW, DENY, or ASK for what somebody has to say yes to first."""
        asked = any(o.name in ASKING for o in self.decision.obligations)
        return "ASK" if asked and self.decision.allowed else self.decision.effect.upper()

    def __str__(self) -> str:
        who = self.principal.identity
        lines = [
            f"{self.word}  {who} {self.action} {self.target}",
            f"  because {self.decision.reason}",
        ]
        if self.decided:
            lines.append(f"  rule    {_text(self.decided)}")
        if self.decision.obligations:
            owed = " ".join(sorted({str(o) for o in self.decision.obligations}))
            lines.append(f"  owing   {owed}")
        lines += [f"  as      {c.subject} (through {c.through})" for c in self.chains]
        lines += [f"  passed  {_text(rule)}: {why}" for rule, why in self.missed[:SHOWN]]
        if not self.decision.named and not self.decision.allowed:
            lines.append("  told    the caller is not told: to them the name does not exist")
        return "\n".join(lines)


def explain(engine: Engine, principal: Principal, target: Target, action: str) -> Explanation:
    """Decides as for a call, and keeps the reasons."""
    target = placed(target)
    decision = engine.decide_for(principal, target, action)
    missed: list[tuple[Rule, str]] = []
    decided = None
    for rule in engine.candidates(principal, target.server):
        if rule.id == decision.rule:
            decided = rule
            break
        missed.append((rule, _why(rule, target, action)))
    chains = tuple(engine.index.subjects(principal))
    return Explanation(principal, target, action, decision, chains, decided, tuple(missed))


def _why(rule: Rule, target: Target, action: str) -> str:
    if not rule.pattern.covers(target):
        return f"{rule.target} does not cover {target}"
    if not rule.matches(target, action):
        return f"it is about {rule.action}"
    return "it would match, but a server of which nothing is allowed is not listed"


def _text(rule: Rule) -> str:
    return f"{rule.id} ({rule.where}, priority {rule.priority}): {rule.subject} {rule.effect}"
