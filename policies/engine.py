"""The engine: Casbin's model and rules, indexed, immutable; the first rule that matches decides."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from mcp_gateway.core.call import Call
from mcp_gateway.core.decision import Decision, Effect, Prospect
from mcp_gateway.core.patterns import covers
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import GATEWAY
from mcp_gateway.core.target import Kind, Target
from policies import check
from policies.index import Index
from policies.reader import PolicyError, read
from policies.rule import ANY, Rule, Rules

MODEL: Final = Path(__file__).parent / "model.conf"
MOST_REMEMBERED: Final = 100_000
ACTIONS: Final[Mapping[Kind, str]] = {
    "tool": "tools/call",
    "prompt": "prompts/get",
    "resource": "resources/read",
    "template": "resources/read",
    "skill": "resources/read",
    "operation": "operations/call",
}
"""The method by which a listed target of a kind would be used."""


class Engine:
    """Implements `ports.Policy`. Decisions are remembered, and live and die with the engine."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.digest = rules.digest
        self.warnings: Sequence[str] = check.warnings(rules)
        self.index = Index(rules)
        self._decisions: dict[tuple[Principal, Target, str], Decision] = {}
        self._candidates: dict[tuple[Principal, str], list[Rule]] = {}

    def decide(self, call: Call) -> Decision:
        return self.decide_for(call.principal, call.target, call.method)

    def decide_for(self, principal: Principal, target: Target, action: str) -> Decision:
        """The decision for one action of one principal. An engine never raises here."""
        key = (principal, target, action)
        known = self._decisions.get(key)
        if known is None:
            known = self._decide(principal, target, action)
            if len(self._decisions) < MOST_REMEMBERED:
                self._decisions[key] = known
        return known

    def prospect(self, call: Call, target: Target) -> Prospect:
        """What would be decided for a listed target."""
        action = ACTIONS.get(target.kind, call.method)
        decision = self.decide_for(call.principal, target, action)
        if not decision.allowed:
            return "deny"
        asked = {"approval", "confirm"} & {o.name for o in decision.obligations}
        return "depends" if asked else "allow"

    def candidates(self, principal: Principal, server: str) -> list[Rule]:
        """The rules that could match for this principal and server, in order."""
        known = self._candidates.get((principal, server))
        if known is None:
            subjects = [chain.subject for chain in self.index.subjects(principal)]
            known = self.index.candidates(principal.tenant, subjects, server)
            if len(self._candidates) < MOST_REMEMBERED:
                self._candidates[principal, server] = known
        return known

    def _decide(self, principal: Principal, target: Target, action: str) -> Decision:
        rules = self.candidates(principal, target.server)
        named = any(_reveals(rule, target.server) for rule in rules)
        if target.kind == "catalog" and target.server != GATEWAY and not named:
            return Decision(Effect.DENY, rule="", reason="no rule allows anything on this server")
        for rule in rules:
            if matches(rule, target, action):
                return _decision(rule, named=named)
        return Decision(Effect.DENY, rule="", reason="no rule allows it", named=named)


def matches(rule: Rule, target: Target, action: str) -> bool:
    """Whether a rule, of a subject that the principal counts as, is about this."""
    return rule.action in (ANY, action) and covers(target, rule.target)


def _reveals(rule: Rule, server: str) -> bool:
    """Whether the rule lets its subject know that the server exists."""
    kind = rule.target.partition("/")[0]
    somewhere = Target("tool" if kind == ANY else "method", server, "")
    pattern = f"*/{rule.target.split('/', 2)[1]}/*"
    return rule.grants and kind != "catalog" and covers(somewhere, pattern)


def _decision(rule: Rule, *, named: bool) -> Decision:
    """A deny that owes an approval is an allow that owes it: plain Casbin reads a denial."""
    effect = Effect.ALLOW if rule.grants else Effect.DENY
    reason = f"the rule {rule.id} says {rule.effect}"
    return Decision(effect, rule.id, reason, rule.obligations, named=named)


def load(
    files: Sequence[Path], aliases: Mapping[str, str] | None = None, model: Path = MODEL
) -> Engine:
    """Reads, checks and compiles a policy. Raises PolicyError with every fault."""
    rules = read(files, aliases or {})
    found = check.faults(rules)
    if _matcher(model) != _matcher(MODEL):
        found.append(f"{model}: the matcher is not the one that this engine compiles")
    if found:
        raise PolicyError(found)
    return Engine(rules)


def _matcher(model: Path) -> str:
    lines = (line.split("#")[0].strip() for line in model.read_text("utf-8").splitlines())
    return "\n".join(line for line in lines if line)
