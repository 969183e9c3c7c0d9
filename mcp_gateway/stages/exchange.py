"""Exchange: the credential that the upstream will see."""

from typing import ClassVar

from mcp_gateway.core import ports
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call, Next
from mcp_gateway.core.credential import CredentialRefused
from mcp_gateway.core.decision import CREDENTIAL
from mcp_gateway.core.errors import UpstreamFailed


class Exchange:
    """Obtains the credential last, so that none is ever obtained for a refused call."""

    needs: ClassVar = frozenset({"principal", "target", "decision", "shown"})
    sets: ClassVar = frozenset({"credential"})

    def __init__(self, broker: ports.Broker) -> None:
        self._broker = broker

    async def __call__(self, call: Call, call_next: Next) -> Result:
        call.credential = await self._broker.credential(call)
        call.discharged.add(CREDENTIAL)
        try:
            return await call_next(call)
        except CredentialRefused as refused:
            call.credential = await self._broker.renewed(call, refused)
        try:
            return await call_next(call)
        except CredentialRefused:
            server = call.target.server
            raise UpstreamFailed(f"{server} refuses the gateway's credential") from None
