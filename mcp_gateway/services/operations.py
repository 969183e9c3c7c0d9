"""Operations: what an administrator can do, as a table. Running one is a call like any other."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.errors import InvalidRequest, UnknownTarget
from mcp_gateway.core.principal import Principal
from mcp_gateway.services.acts import ACTS
from mcp_gateway.services.keyring import KeyringService
from mcp_gateway.services.operation import Nothing, Operation, Word
from mcp_gateway.services.snapshots import Snapshots
from mcp_gateway.store.keys import LOCAL, Keys
from mcp_gateway.store.pins import AccessRequests
from mcp_gateway.wire import jsonrpc

DAY: Final = 86_400


class CreateKey(BaseModel):
    """For whom, and what the key brings. `days` of 0 is for ever."""

    model_config = ConfigDict(extra="forbid")

    subject: str = Field(pattern=r"^[A-Za-z0-9._@-]{1,100}$")
    roles: list[Word] = ["user"]
    scopes: list[Word] = []
    client: str = Field(default="", pattern=r"^[ -~]{0,100}$")
    mode: Word = "unknown"
    days: int = Field(default=90, ge=0, le=3650)


class RevokeKey(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: str


class Accept(BaseModel):
    """The server, and one of its names; without a name, everything that is held back."""

    model_config = ConfigDict(extra="forbid")

    server: str
    name: str = ""


class Named(BaseModel):
    """One server; without a name, all of them."""

    model_config = ConfigDict(extra="forbid")

    server: str = ""


class Operations:
    """The services behind the table."""

    def __init__(self, keys: Keys, keyring: KeyringService, requests: AccessRequests) -> None:
        self._keys = keys
        self._keyring = keyring
        self._requests = requests
        self.snapshots: Snapshots | None = None
        self.acting: dict[str, Any] = {}
        """The services whose acts are operations too, by the first part of their names."""

    async def run(self, call: Call) -> Result:
        """Runs the operation that the call names. Raises InvalidRequest for its parameters."""
        operation = OPERATIONS.get(call.target.name)
        if operation is None:
            raise UnknownTarget(f"no operation is called {call.target.name!r}")
        arguments = call.outgoing.view().get("arguments") or {}
        try:
            parameters = operation.parameters.model_validate(arguments)
        except ValidationError as error:
            said = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise InvalidRequest(said) from None
        service = self.acting.get(call.target.name.partition(".")[0], self)
        value = await operation.run(service, call, parameters)
        return jsonrpc.body(jsonrpc.encode({"value": value}))

    async def create_key(self, call: Call, asked: CreateKey) -> Mapping[str, Any]:
        now = int(time.time())
        principal = Principal(
            LOCAL,
            asked.subject,
            call.principal.tenant,
            client=asked.client,
            roles=frozenset(asked.roles),
            scopes=frozenset(asked.scopes),
            mode=asked.mode,
        )
        expires = now + asked.days * DAY if asked.days else 0
        key_id, text = await asyncio.to_thread(self._keys.create, principal, now, expires)
        await self._keyring.refresh()
        call.facts |= {"key": key_id, "for": asked.subject, "with": sorted(set(asked.roles))}
        return {"id": key_id, "key": text, "expires": expires}

    async def list_keys(self, call: Call, _: Nothing) -> list[Mapping[str, Any]]:
        found = await asyncio.to_thread(self._keys.list, call.principal.tenant)
        return [asdict(summary) for summary in found]

    async def revoke_key(self, call: Call, asked: RevokeKey) -> Mapping[str, Any]:
        tenant, now = call.principal.tenant, int(time.time())
        if not await asyncio.to_thread(self._keys.revoke, asked.id, tenant, now):
            raise InvalidRequest(f"there is no key {asked.id!r}; `mcp-gateway keys list` has them")
        await self._keyring.refresh()
        call.facts["key"] = asked.id
        return {"id": asked.id, "revoked": now}

    async def list_servers(self, call: Call, _: Nothing) -> list[Mapping[str, Any]]:
        if self.snapshots is None:
            return []
        return [
            {
                "name": name,
                "connector": running.config.connector,
                "labels": sorted(running.config.governance.labels),
                "trouble": running.trouble,
                "detail": running.detail,
                "served": len(running.reviewed.served),
                "held": {
                    target: reason
                    for target, reason in call.snapshot.held.items()
                    if target.split("/", 2)[1] == name
                },
            }
            for name, running in sorted(self.snapshots.running.items())
        ]

    async def differences(self, call: Call, asked: Named) -> list[Mapping[str, Any]]:  # noqa: ARG002
        found = await self.snapshots.differences(asked.server) if self.snapshots else []
        return [asdict(difference) for difference in found]

    async def accept(self, call: Call, asked: Accept) -> Mapping[str, Any]:
        accepted = await self.snapshots.accept(asked.server, asked.name) if self.snapshots else []
        if not accepted:
            raise InvalidRequest(f"nothing of {asked.server!r} is held back under that name")
        call.facts["accepted"] = accepted
        return {"accepted": accepted}

    async def list_requests(self, call: Call, _: Nothing) -> list[Mapping[str, Any]]:
        found = await asyncio.to_thread(self._requests.open, call.principal.tenant)
        return [row.model_dump() for row in found]


OPERATIONS: Final[Mapping[str, Operation]] = {
    "keys.create": Operation("POST /keys", CreateKey, Operations.create_key),
    "keys.list": Operation("GET /keys", Nothing, Operations.list_keys),
    "keys.revoke": Operation("POST /keys/revoke", RevokeKey, Operations.revoke_key),
    "servers.list": Operation("GET /servers", Nothing, Operations.list_servers),
    "servers.diff": Operation("POST /servers/diff", Named, Operations.differences),
    "servers.accept": Operation("POST /servers/accept", Accept, Operations.accept),
    "access.list": Operation("GET /access", Nothing, Operations.list_requests),
    **ACTS,
}
