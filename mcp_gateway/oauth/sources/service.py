"""`service`: the gateway's own client at the upstream's server (RFC 6749, section 4.4)."""

from typing import Final

from mcp_gateway.oauth.ports import Obtained, Wanted
from mcp_gateway.oauth.sources.asking import Asking, needed

GRANT: Final = ("grant_type", "client_credentials")


class Service:
    """Implements `ports.Source`: the same credential whoever calls."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def obtain(self, wanted: Wanted) -> Obtained:
        found = await self._asking.found(wanted)
        client = self._asking.client(wanted, found.server)
        form = [GRANT, *needed(wanted, found.resource)]
        answer = await self._asking.ask(wanted, found.server, client, form)
        return self._asking.obtained(wanted, answer, f"service:{wanted.server}")
