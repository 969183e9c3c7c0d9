"""Authorize: asks the policy, and tells a denial from a name that must not be known."""

from typing import Any, ClassVar, Final

from mcp_gateway.core import describe
from mcp_gateway.core.asking import QUESTIONS, Asked, Question
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call, Next, child_of
from mcp_gateway.core.errors import Forbidden, InsufficientScope, MissingCapability, Refusal
from mcp_gateway.wire import capabilities

LONGEST_KEY: Final = 64


class Authorize:
    """Asks the policy: about the call, and about each question of its upstream's.

    The gateway's own question needs no rule: who may make the call may connect what it needs.
    """

    needs: ClassVar = frozenset({"principal", "snapshot", "method", "params", "target", "declared"})
    sets: ClassVar = frozenset({"decision", "children"})

    async def __call__(self, call: Call, call_next: Next) -> Result:
        call.decision = call.snapshot.policy.decide(call)
        if not call.decision.allowed:
            raise denial(call)
        if missing := call.target.requires - call.principal.scopes:
            raise InsufficientScope(missing, call.target.requires)
        result = await call_next(call)
        asked = result.asked
        if asked is not None and asked.questions and not asked.own:
            _ask(call, asked)
        return result


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


def _ask(call: Call, asked: Asked) -> None:
    """Decides each question as a call of its own; one that is denied ends the call.

    All of them are decided before any is refused, so that the record holds each.
    """
    said = capabilities.declared(call)
    lacking: dict[str, Any] = {}
    questions = enumerate(asked.questions.items(), 1)
    call.children = tuple(_child(call, number, *each) for number, each in questions)
    for child in call.children:
        if refusal := _refusal(call, child):
            raise refusal
        for name, parts in capabilities.missing(said, child.method, child.params.view()).items():
            lacking[name] = {**lacking.get(name, {}), **parts}
    if lacking:
        names = " and ".join(sorted(lacking))
        raise MissingCapability(
            f"{call.target.server} asks what your client cannot answer: {names}", lacking
        )


def _child(call: Call, number: int, key: str, question: Question) -> Call:
    child = child_of(call, number, question)
    child.facts["key"] = key[:LONGEST_KEY]
    child.decision = call.snapshot.policy.decide(child)
    return child


def _refusal(call: Call, child: Call) -> Refusal | None:
    """Why a question may not be asked; None when it may. What its rule owes, the call has done."""
    decision, wanted = child.decision, QUESTIONS[child.method]
    said = f"{call.target.server} may not ask you for {wanted}"
    if not decision.allowed:
        why = decision.reason if decision.named else "no rule allows it"
        return Forbidden(f"{said}: {why}", rule=decision.rule if decision.named else "")
    if owed := decision.obligations - call.discharged:
        listed = ", ".join(sorted(map(str, owed)))
        return Forbidden(f"{said}: it owes {listed}", rule=decision.rule)
    return None
