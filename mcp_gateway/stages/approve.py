"""Approve: another person's yes, where a rule asks for one."""

from typing import ClassVar, Final

from mcp_gateway.core.approval import NOT_ASKED
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call, Next
from mcp_gateway.core.decision import APPROVAL
from mcp_gateway.core.errors import ApprovalRequired

ASKING: Final = frozenset({"approval", "confirm"})


class Approve:
    """Lets pass what owes no approval. Nobody can give one yet, so the rest is refused."""

    needs: ClassVar = frozenset({"principal", "target", "decision"})
    sets: ClassVar = frozenset({"approval"})

    async def __call__(self, call: Call, call_next: Next) -> Result:
        asked = sorted(str(o) for o in call.decision.obligations if o.name in ASKING)
        if asked:
            raise ApprovalRequired(
                f"{call.target} needs {', '.join(asked)}, which cannot be given here yet",
                rule=call.decision.rule,
            )
        call.approval = NOT_ASKED
        call.discharged.add(APPROVAL)
        return await call_next(call)
