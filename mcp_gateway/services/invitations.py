"""Invitations: the tool by which a runtime has its person connect a server."""

from collections.abc import Callable
from typing import Final

from mcp_gateway.core.call import Call
from mcp_gateway.core.errors import ConsentRequired, InvalidRequest
from mcp_gateway.oauth.ports import Consents
from mcp_gateway.services.catalog import connects
from mcp_gateway.services.outcomes import is_known
from mcp_gateway.services.visible import is_connected
from mcp_gateway.wire import capabilities

_ELICIT: Final = "elicitation/create"


class Invitations:
    """`consents` makes the links; None where nobody can connect anything."""

    def __init__(self, consents: Callable[[], Consents | None]) -> None:
        self._consents = consents

    async def invite(self, call: Call) -> str:
        """What the caller is told.

        Raises ConsentRequired for a runtime that can show the address itself and was not asked
        yet, and InvalidRequest for a server that the caller need not know of.
        """
        server, consents = connects(call.target), self._consents()
        upstream = call.snapshot.upstreams.get(server)
        if consents is None or upstream is None or not is_known(call, server):
            raise InvalidRequest("there is nothing to connect under that name")
        if is_connected(call, server):
            return f"{server} is connected to you: its tools are listed now."
        link = await consents.link(call.principal, server, upstream.grant.scopes, call.id)
        params = {"mode": "url", "url": link}
        if call.resumed.own or capabilities.missing(capabilities.declared(call), _ELICIT, params):
            return f"Open {link} in a browser to connect {server}. Then its tools are listed."
        raise ConsentRequired(server, link)
