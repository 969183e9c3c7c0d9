"""People who log in: added, listed and ended by administrators."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from mcp_gateway.core.call import Call
from mcp_gateway.core.errors import InvalidRequest
from mcp_gateway.services.keyring import KeyringService
from mcp_gateway.services.operation import Nothing, Operation, Word
from mcp_gateway.services.passwords import HASHED
from mcp_gateway.store.keys import LOCAL
from mcp_gateway.store.people import PersonRows
from mcp_gateway.store.rows import PersonRow

_NAME: Final = r"^[A-Za-z0-9._@-]{1,100}$"
_WHO: Final = r"^[!-~]{1,500}$"

Disconnect = Callable[[str, str, str, str], Awaitable[None]]
"""Ends what somebody connected: by tenant, issuer and subject, and why."""


class AddPerson(BaseModel):
    """A name, roles, and the argon2id hash of a password: the password itself is not told."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=_NAME)
    password: str = Field(pattern=HASHED, repr=False)
    roles: list[Word] = ["user"]


class GivePassword(BaseModel):
    """Another password, as its hash."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=_NAME)
    password: str = Field(pattern=HASHED, repr=False)


class Whom(BaseModel):
    """Somebody of the gateway's own by name, or `<issuer>|<subject>` of a provider."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=_WHO)


class PeopleActs:
    """Of one tenant, as all acts are. What ends is over here when an act returns."""

    def __init__(self, rows: PersonRows, keyring: KeyringService, disconnect: Disconnect) -> None:
        self._rows = rows
        self._keyring = keyring
        self._disconnect = disconnect

    async def add(self, call: Call, asked: AddPerson) -> Mapping[str, Any]:
        row = PersonRow(
            id=secrets.token_hex(16),
            tenant=call.principal.tenant,
            issuer=LOCAL,
            subject=asked.name,
            roles=" ".join(sorted(set(asked.roles))),
            password=asked.password,
            created=int(time.time()),
        )
        if not await asyncio.to_thread(self._rows.add, row):
            raise InvalidRequest(f"there is a person {asked.name!r} already")
        call.facts |= {"for": f"{LOCAL}|{asked.name}", "with": row.roles.split()}
        return {"name": asked.name, "roles": row.roles.split()}

    async def list(self, call: Call, _: Nothing) -> list[Mapping[str, Any]]:
        found = await asyncio.to_thread(self._rows.all, call.principal.tenant)
        return [asdict(summary) for summary in found]

    async def disable(self, call: Call, asked: Whom) -> Mapping[str, Any]:
        row = await self._row(call, asked.name)
        await asyncio.to_thread(self._rows.disable, row.id, int(time.time()))
        await self._keyring.refresh()
        return {"name": asked.name, "disabled": True}

    async def enable(self, call: Call, asked: Whom) -> Mapping[str, Any]:
        row = await self._row(call, asked.name)
        await asyncio.to_thread(self._rows.enable, row.id)
        await self._keyring.refresh()
        return {"name": asked.name, "disabled": False}

    async def password(self, call: Call, asked: GivePassword) -> Mapping[str, Any]:
        row = await self._row(call, asked.name)
        await asyncio.to_thread(self._rows.password, row.id, asked.password, int(time.time()))
        await self._keyring.refresh()
        return {"name": asked.name}

    async def remove(self, call: Call, asked: Whom) -> Mapping[str, Any]:
        """Also what they connected: whoever is given the name later is somebody else."""
        row = await self._row(call, asked.name)
        await asyncio.to_thread(self._rows.disable, row.id, int(time.time()))
        await self._keyring.refresh()
        await self._disconnect(row.tenant, row.issuer, row.subject, "the person was removed")
        await asyncio.to_thread(self._rows.remove, row.id, int(time.time()))
        await self._keyring.refresh()
        return {"name": asked.name, "removed": True}

    async def _row(self, call: Call, name: str) -> PersonRow:
        """Raises InvalidRequest."""
        # An issuer is a URL without this sign; what a provider calls its people may have it.
        issuer, _, subject = name.partition("|") if "|" in name else (LOCAL, "", name)
        tenant = call.principal.tenant
        row = await asyncio.to_thread(self._rows.named, tenant, subject, issuer)
        if row is None:
            raise InvalidRequest(f"there is no person {name!r}; `mcp-gateway people list` has them")
        call.facts["for"] = f"{issuer}|{subject}"
        return row


ACTS: Final[Mapping[str, Operation]] = {
    "people.add": Operation("POST /people", AddPerson, PeopleActs.add),
    "people.list": Operation("GET /people", Nothing, PeopleActs.list),
    "people.disable": Operation("POST /people/disable", Whom, PeopleActs.disable),
    "people.enable": Operation("POST /people/enable", Whom, PeopleActs.enable),
    "people.password": Operation("POST /people/password", GivePassword, PeopleActs.password),
    "people.remove": Operation("POST /people/remove", Whom, PeopleActs.remove),
}
