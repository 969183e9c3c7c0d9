"""Exchange: the credential that the upstream will see."""

from collections.abc import Awaitable, Callable, Mapping
from typing import ClassVar, Final

from mcp_gateway.core import ports
from mcp_gateway.core.asking import ASKING, Asked, Question
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call, Next
from mcp_gateway.core.credential import CredentialRefused
from mcp_gateway.core.decision import CREDENTIAL
from mcp_gateway.core.errors import ConsentRequired
from mcp_gateway.wire import capabilities, jsonrpc

_ELICIT: Final = "elicitation/create"
_KEY: Final = "connect"


Given = Callable[[Call, str], Awaitable[bool]]
"""Waits for the caller's consent to this server to be given; False when it was not."""


async def not_given(call: Call, server: str) -> bool:  # noqa: ARG001  # of the kind
    """Where nobody waits."""
    return False


class Exchange:
    """Obtains the credential last, so that none is ever obtained for a refused call."""

    needs: ClassVar = frozenset(
        {"principal", "target", "decision", "shown", "method", "params", "declared", "resumed"}
    )
    sets: ClassVar = frozenset({"credential"})

    def __init__(self, broker: ports.Broker, given: Given = not_given) -> None:
        self._broker = broker
        self._given = given

    async def __call__(self, call: Call, call_next: Next) -> Result:
        try:
            return await self._sent(call, call_next)
        except ConsentRequired as required:
            if not (_accepted(call) and await self._given(call, required.server)):
                return _asked(call, required)
        return await self._sent(call, call_next)

    async def _sent(self, call: Call, call_next: Next) -> Result:
        call.credential = await self._broker.credential(call)
        call.discharged.add(CREDENTIAL)
        try:
            return await call_next(call)
        except CredentialRefused as refused:
            call.credential = await self._broker.renewed(call, refused)
        try:
            return await call_next(call)
        except CredentialRefused as again:
            raise await self._broker.ended(call, again) from None


def _asked(call: Call, required: ConsentRequired) -> Result:
    """A question of the gateway's own, for a runtime that can show its person an address.

    Raises the refusal, whose words have the address, for all others: also where the call was asked
    already, or goes on with something that its upstream asked.
    """
    said = f"Connect {required.server}: open the address, and the call can go on."
    params = {"mode": "url", "message": said, "url": required.url}
    fresh = not (call.resumed.own or call.resumed.park or call.resumed.state)
    if call.method not in ASKING or not fresh or _unable(call, params):
        raise required
    call.discharged.add(CREDENTIAL)
    question = Question(_ELICIT, jsonrpc.encode(params))
    asking = {
        "resultType": "input_required",
        "inputRequests": {_KEY: {"method": _ELICIT, "params": params}},
    }
    return jsonrpc.body(jsonrpc.encode(asking), asked=Asked({_KEY: question}, own=True))


def _accepted(call: Call) -> bool:
    """Whether the runtime says that its person opens the address, and may not have finished there.

    In the initialize era the call comes again when its runtime was told that they have.
    """
    if not call.resumed.own or call.declared is not None:
        return False
    answers = call.params.view().get("inputResponses")
    answer = answers.get(_KEY) if isinstance(answers, dict) else None
    return isinstance(answer, dict) and answer.get("action") == "accept"


def _unable(call: Call, params: Mapping[str, str]) -> bool:
    return bool(capabilities.missing(capabilities.declared(call), _ELICIT, params))
