"""The engine: Casbin's model and rules, indexed, immutable; the first rule that matches decides."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from mcp_gateway.core.call import Call
from mcp_gateway.core.decision import Decision, Effect, Prospect
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import GATEWAY
from mcp_gateway.core.target import Kind, Target
from policies import check
from policies.index import Candidates, Index
from policies.memo import Memo
from policies.reader import PolicyError, read
from policies.rule import Rule, Rules

MODEL: Final = Path(__file__).parent / "model.conf"
LONGEST_REMEMBERED: Final = 512
"""A decision about a longer name is made anew: a memo of addresses must stay small."""
ACTIONS: Final[Mapping[Kind, str]] = {
    "tool": "tools/call",
    "prompt": "prompts/get",
    "resource": "resources/read",
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
        self._decisions: Memo[tuple[Principal, Target, str], Decision] = Memo(50_000)
        self._subjects: Memo[Principal, frozenset[str]] = Memo(10_000)
        self._candidates: Memo[tuple[str, frozenset[str], str], Candidates] = Memo(2_000)

    def decide(self, call: Call) -> Decision:
        return self.decide_for(call.principal, call.target, call.method)

    def decide_for(self, principal: Principal, target: Target, action: str) -> Decision:
        """The decision for one action of one principal. An engine never raises here."""
        key = (principal, target, action)
        known = self._decisions.get(key)
        if known is None:
            known = self._decide(principal, target, action)
            if len(target.name) <= LONGEST_REMEMBERED:
                self._decisions[key] = known
        return known

    def prospect(self, call: Call, target: Target) -> Prospect:
        """What would be decided for a listed target. A template is read as a resource is."""
        if target.kind == "template":
            target = replace(target, kind="resource")
        action = ACTIONS.get(target.kind, call.method)
        decision = self.decide_for(call.principal, target, action)
        if not decision.allowed:
            return "deny"
        asked = {"approval", "confirm"} & {o.name for o in decision.obligations}
        return "depends" if asked else "allow"

    def candidates(self, principal: Principal, server: str) -> Sequence[Rule]:
        """The rules that could match for this principal and server, in order."""
        return self._found(principal, server).rules

    def _found(self, principal: Principal, server: str) -> Candidates:
        subjects = self._subjects.get(principal)
        if subjects is None:
            subjects = self._subjects[principal] = self.index.mentioned(principal)
        key = (principal.tenant, subjects, server)
        found = self._candidates.get(key)
        if found is None:
            found = self._candidates[key] = self.index.candidates(*key)
        return found

    def _decide(self, principal: Principal, target: Target, action: str) -> Decision:
        target = placed(target)
        found = self._found(principal, target.server)
        own = target.kind in ("catalog", "subscription") and target.server != GATEWAY
        if own and not found.named:
            return Decision(Effect.DENY, rule="", reason="no rule allows anything on this server")
        if rule := found.first(target, action):
            return _decision(rule, named=found.named)
        return Decision(Effect.DENY, rule="", reason="no rule allows it", named=found.named)


def placed(target: Target) -> Target:
    """The target as the rules name it: a listing of no one server is the gateway's."""
    if target.kind == "catalog" and not target.server:
        return replace(target, server=GATEWAY)
    return target


def _decision(rule: Rule, *, named: bool) -> Decision:
    """A deny that owes an approval is an allow that owes it: plain Casbin reads a denial."""
    effect = Effect.ALLOW if rule.grants else Effect.DENY
    until = " until it is approved" if rule.asks else ""
    reason = f"the rule {rule.id} says {rule.effect}{until}"
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
