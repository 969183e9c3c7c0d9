"""What is wrong with rules that can each be read: cycles, contradictions, dead lines."""

from collections.abc import Iterator
from typing import Final

from mcp_gateway.core.asking import QUESTIONS
from policies import overlap, roles
from policies.rule import ANY, Rule, Rules

METHODS: Final = frozenset(
    {
        *QUESTIONS,
        "completion/complete",
        "operations/call",
        "prompts/get",
        "prompts/list",
        "resources/list",
        "resources/read",
        "resources/subscribe",
        "resources/templates/list",
        "resources/unsubscribe",
        "subscriptions/listen",
        "tasks/cancel",
        "tasks/get",
        "tasks/list",
        "tasks/result",
        "tasks/update",
        "tools/call",
        "tools/list",
    }
)
"""What a call of a known kind may be; a target of the kind `method` may be called anything."""


def faults(rules: Rules) -> list[str]:
    """What no policy may have."""
    return [*roles.faults(rules), *overlap.contradictions(rules.rules)]


def warnings(rules: Rules) -> list[str]:
    """What is probably not what its author meant."""
    return [
        *overlap.shadowed(rules.rules),
        *_unknown_actions(rules.rules),
        *_approved_anyway(rules.rules),
        *roles.memberless(rules),
    ]


def _unknown_actions(rules: tuple[Rule, ...]) -> Iterator[str]:
    for rule in rules:
        if rule.action not in METHODS | {ANY} and rule.pattern.kinds != {"method"}:
            yield f"{rule.where}: {rule.id} is about {rule.action!r}, which no call is known by"


def _approved_anyway(rules: tuple[Rule, ...]) -> Iterator[str]:
    for rule in rules:
        if rule.grants and not rule.asks and any(o.name == "approval" for o in rule.obligations):
            yield (
                f"{rule.where}: {rule.id} allows and owes an approval, and plain Casbin does not "
                f"know of it: write deny, which denies there and asks here"
            )
