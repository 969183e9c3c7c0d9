"""Labels: what is said of a call outside the ledger, in few words that no caller chooses."""

from typing import Final

from mcp_gateway.core.call import Call
from mcp_gateway.core.errors import REFUSALS

METHODS: Final = frozenset(
    {
        "completion/complete",
        "operations/call",
        "prompts/get",
        "prompts/list",
        "resources/list",
        "resources/read",
        "resources/templates/list",
        "tools/call",
        "tools/list",
    }
)
OUTCOMES: Final = frozenset(
    {"ok", "error", "cancelled", "failed", "input_required", "task"}
    | {refusal.slug for refusal in REFUSALS}
)
OTHER: Final = "other"


def method_of(call: Call) -> str:
    """At the endpoint of one server a method may be called anything."""
    return call.method if call.method in METHODS else OTHER


def outcome_of(outcome: str) -> str:
    return outcome if outcome in OUTCOMES else OTHER


def server_of(call: Call) -> str:
    """Empty where the call was not allowed: its caller may have made the name up."""
    return call.target.server if call.decision.allowed else ""
