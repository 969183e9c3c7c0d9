"""What one person connected, for themselves."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from mcp_gateway.core.call import Call
from mcp_gateway.core.errors import InvalidRequest
from mcp_gateway.core.grants import grant_key
from mcp_gateway.core.snapshot import Upstream
from mcp_gateway.services.connections import Connections
from mcp_gateway.services.operation import Nothing, Operation
from mcp_gateway.services.outcomes import is_known
from mcp_gateway.services.views import PersonalViews


class OneServer(BaseModel):
    """A server that each person connects for themselves."""

    model_config = ConfigDict(extra="forbid")

    server: str = Field(pattern=r"^[A-Za-z0-9_-]{1,100}$")


class ConnectionActs:
    """Nobody sees, makes or ends anything but their own."""

    def __init__(self, connections: Connections, views: PersonalViews) -> None:
        self._connections = connections
        self._views = views

    async def list(self, call: Call, _: Nothing) -> list[Mapping[str, Any]]:
        """Every server that the caller may connect, and how it stands with it."""
        upstreams = sorted(call.snapshot.upstreams)
        return [await self._shown(call, name) for name in upstreams if self._of(call, name)]

    async def link(self, call: Call, asked: OneServer) -> Mapping[str, Any]:
        upstream = self._named(call, asked)
        scopes = upstream.grant.scopes
        link = await self._connections.link(call.principal, upstream.name, scopes, call.id)
        return {"server": upstream.name, "url": link}

    async def check(self, call: Call, asked: OneServer) -> Mapping[str, Any]:
        """Looks at the server as its caller would: before a call of theirs fails."""
        upstream = self._named(call, asked)
        await self._views.look(call.principal, upstream.name)
        return await self._shown(call, upstream.name)

    async def revoke(self, call: Call, asked: OneServer) -> Mapping[str, Any]:
        upstream = self._named(call, asked)
        key = grant_key(call.principal, upstream.name)
        if not await self._connections.revoke(key, "its person ended it"):
            raise InvalidRequest(f"{upstream.name} is not connected to you")
        call.facts["server"] = upstream.name
        return {"server": upstream.name}

    async def _shown(self, call: Call, server: str) -> Mapping[str, Any]:
        key = grant_key(call.principal, server)
        row = await asyncio.to_thread(self._connections.grants.row, key)
        return {
            "server": server,
            "state": row.state if row else "not connected",
            "reason": row.reason or self._views.trouble_of(key) if row else "",
            "scopes": row.scopes.split() if row else [],
            "authorization_server": row.server_issuer if row else "",
            "created": row.created if row else 0,
            "refreshed": row.refreshed if row else 0,
            "used": row.used if row else 0,
            "checked": row.checked if row else 0,
        }

    def _of(self, call: Call, name: str) -> Upstream | None:
        upstream = call.snapshot.upstreams.get(name)
        if upstream is None or not upstream.grant.connected or not is_known(call, name):
            return None
        return upstream

    def _named(self, call: Call, asked: OneServer) -> Upstream:
        upstream = self._of(call, asked.server)
        if upstream is None:
            raise InvalidRequest(f"there is no server {asked.server!r} for you to connect")
        return upstream


ACTS: Final[Mapping[str, Operation]] = {
    "connections.list": Operation("GET /connections", Nothing, ConnectionActs.list),
    "connections.link": Operation("POST /connections/link", OneServer, ConnectionActs.link),
    "connections.check": Operation("POST /connections/check", OneServer, ConnectionActs.check),
    "connections.revoke": Operation("POST /connections/revoke", OneServer, ConnectionActs.revoke),
}
