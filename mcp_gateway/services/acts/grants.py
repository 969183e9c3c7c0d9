"""What people connected, for administrators."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from mcp_gateway.core.call import Call
from mcp_gateway.core.errors import InvalidRequest
from mcp_gateway.services.connections import Connections
from mcp_gateway.services.operation import Nothing, Operation


class RevokeGrant(BaseModel):
    """One grant, by the id that `grants list` shows."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(pattern=r"^[0-9a-f]{1,64}$")
    reason: str = Field(default="an administrator revoked it", max_length=200)


class GrantActs:
    """Of one tenant, as all acts are."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def list(self, call: Call, _: Nothing) -> list[Mapping[str, Any]]:
        grants = self._connections.grants
        found = await asyncio.to_thread(grants.all, call.principal.tenant)
        return [asdict(summary) for summary in found]

    async def revoke(self, call: Call, asked: RevokeGrant) -> Mapping[str, Any]:
        tenant = call.principal.tenant
        found = await asyncio.to_thread(self._connections.grants.all, tenant)
        for one in found:
            if one.id == asked.id:
                key = (tenant, one.issuer, one.subject, one.upstream)
                call.facts |= {"grant": one.id, "for": f"{one.issuer}|{one.subject}"}
                await self._connections.revoke(key, asked.reason)
                return {"id": one.id, "server": one.upstream}
        raise InvalidRequest(f"there is no grant {asked.id!r}; `mcp-gateway grants list` has them")


ACTS: Final[Mapping[str, Operation]] = {
    "grants.list": Operation("GET /grants", Nothing, GrantActs.list),
    "grants.revoke": Operation("POST /grants/revoke", RevokeGrant, GrantActs.revoke),
}
