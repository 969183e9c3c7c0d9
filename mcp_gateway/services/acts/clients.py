"""Clients of the authorization server: which there are, and the end of one."""

import asyncio
import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from mcp_gateway.core.call import Call
from mcp_gateway.core.errors import InvalidRequest
from mcp_gateway.oauth.server.rfc8252 import host_of
from mcp_gateway.services.authorization.client import Client
from mcp_gateway.services.keyring import KeyringService
from mcp_gateway.services.operation import Nothing, Operation
from mcp_gateway.store.clients import Clients
from mcp_gateway.store.revocations import Revocations
from mcp_gateway.store.rows import ClientRow


class RevokeClient(BaseModel):
    """One client, by the id that `clients list` shows."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(pattern=r"^[!-~]{1,512}$")
    reason: str = Field(default="an administrator revoked it", max_length=200)


class ClientActs:
    """`named` are those of the configuration, and of pinned documents: no row has them."""

    def __init__(
        self,
        kept: Clients,
        revocations: Revocations,
        keyring: KeyringService,
        named: Callable[[], Sequence[Client]],
    ) -> None:
        self._kept = kept
        self._revocations = revocations
        self._keyring = keyring
        self._named = named

    async def list(self, _: Call, __: Nothing) -> list[Mapping[str, Any]]:
        """All of them: a client is of no tenant. What is named goes before what was met."""
        rows = await asyncio.to_thread(self._kept.list)
        found = {client.id: _of_client(client) for client in self._named()}
        found = {row.id: _of_row(row) for row in rows} | found
        over = await asyncio.to_thread(self._revocations.list, int(time.time()))
        revoked = {one.name for one in over if not one.before}
        return [{**each, "revoked": f"client:{id_}" in revoked} for id_, each in found.items()]

    async def revoke(self, call: Call, asked: RevokeClient) -> Mapping[str, Any]:
        """For good, with all that it was given; `tokens restore` takes it back.

        One that registered itself has to register again then.
        """
        row = await asyncio.to_thread(self._kept.find, asked.id)
        if row is None and asked.id not in {client.id for client in self._named()}:
            raise InvalidRequest(
                f"there is no client {asked.id!r}; `mcp-gateway clients list` has them"
            )
        call.facts |= {"revoked": f"client:{asked.id}", "why": asked.reason}
        await asyncio.to_thread(self._revoked, asked)
        await self._keyring.refresh()
        return {"id": asked.id}

    def _revoked(self, asked: RevokeClient) -> None:
        self._revocations.deny(f"client:{asked.id}", asked.reason, int(time.time()))
        self._kept.drop(asked.id)


def _of_row(row: ClientRow) -> dict[str, Any]:
    hosts = _hosts(json.loads(row.redirects))
    known = {"id": row.id, "kind": row.kind, "name": row.name, "host": row.host}
    return {**known, "redirect_hosts": hosts, "created": row.created, "used": row.used}


def _of_client(client: Client) -> dict[str, Any]:
    kind = "pinned" if client.kind == "cimd" else client.kind
    known = {"id": client.id, "kind": kind, "name": client.name, "host": client.host}
    return {**known, "redirect_hosts": _hosts(client.redirects), "created": 0, "used": 0}


def _hosts(redirects: Collection[str]) -> list[str]:
    return sorted({host_of(redirect) for redirect in redirects})


ACTS: Final[Mapping[str, Operation]] = {
    "clients.list": Operation("GET /clients", Nothing, ClientActs.list),
    "clients.revoke": Operation("POST /clients/revoke", RevokeClient, ClientActs.revoke),
}
