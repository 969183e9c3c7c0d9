"""Authorize: asks the policy, and tells a denial from a name that must not be known."""

from typing import ClassVar

from mcp_gateway.core import describe
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call, Next
from mcp_gateway.core.errors import Forbidden, InsufficientScope, Refusal


class Authorize:
    """Asks the policy."""

    needs: ClassVar = frozenset({"principal", "snapshot", "method", "params", "target"})
    sets: ClassVar = frozenset({"decision"})

    async def __call__(self, call: Call, call_next: Next) -> Result:
        call.decision = call.snapshot.policy.decide(call)
        if not call.decision.allowed:
            raise denial(call)
        if missing := call.target.requires - call.principal.scopes:
            raise InsufficientScope(missing, call.target.requires)
        return await call_next(call)


def denial(call: Call) -> Refusal:
    """Forbidden with its rule; to who may not know of the server, the name does not exist.

    That the gateway itself is there is no secret to who has authenticated.
    """
    decision = call.decision
    if decision.named:
        return Forbidden(f"{call.target} is denied: {decision.reason}", rule=decision.rule)
    if call.target.kind == "catalog" and not call.endpoint:
        return Forbidden("no rule allows you anything here yet")
    return describe.unknown(call, recorded=Forbidden.slug, rule=decision.rule)
