"""The token endpoint: a client, a grant, and a token for one endpoint of the gateway."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from mcp_gateway.config import Settings
from mcp_gateway.limits.bucket import Rate
from mcp_gateway.oauth.ports import People
from mcp_gateway.oauth.server.rfc6749 import (
    OAuthError,
    Parameters,
    invalid_grant,
)
from mcp_gateway.oauth.server.rfc8414 import ASSERTION, CLIENT, CODE, REFRESH
from mcp_gateway.services.authorization import offer
from mcp_gateway.services.authorization.assertions import Assertions
from mcp_gateway.services.authorization.client import Client
from mcp_gateway.services.authorization.clients import Clients
from mcp_gateway.services.authorization.families import Families, Held
from mcp_gateway.services.authorization.minting import Grant, Minting
from mcp_gateway.services.authorization.throttle import Throttle
from mcp_gateway.services.authorization.workloads import workload
from mcp_gateway.store import clients as store

EACH: Final = Rate.parse("600/minute burst 600")
"""Requests of one address: a company behind one refreshes each runtime once an hour."""

Answer = Mapping[str, Any]


class Tokens:
    """One grant after the other, each by a method."""

    def __init__(
        self,
        clients: Clients,
        kept: store.Clients,
        families: Families,
        people: People,
        assertions: Assertions,
        minting: Minting,
        settings: Callable[[], Settings],
    ) -> None:
        self._clients = clients
        self._kept = kept
        self._families = families
        self._people = people
        self._assertions = assertions
        self._minting = minting
        self._settings = settings
        self._throttle = Throttle()
        self._grants: Mapping[str, Callable[[Parameters, Client], Awaitable[Answer]]] = {
            CODE: self._by_code,
            REFRESH: self._by_refresh,
            CLIENT: self._by_itself,
            ASSERTION: self._by_assertion,
        }

    async def __call__(self, form: Parameters, authorization: bytes | None, peer: str) -> Answer:
        """Raises OAuthError; Overloaded, when it cannot be recorded."""
        if wait := self._throttle.wait(peer, EACH):
            raise OAuthError("temporarily_unavailable", f"too many: wait {wait} s", 429)
        grant = self._grants.get(form.need("grant_type"))
        if grant is None:
            raise OAuthError("unsupported_grant_type", "the gateway has no such grant")
        client = await self._clients.authenticated(form, authorization, peer)
        answer = await grant(form, client)
        if client.kind != "registered":
            await asyncio.to_thread(self._kept.used, client.id)
        return answer

    async def _by_code(self, form: Parameters, client: Client) -> Answer:
        held = await self._families.redeemed(form, client)
        return await self._minted(CODE, held, client, held.family.scopes)

    async def _by_refresh(self, form: Parameters, client: Client) -> Answer:
        held = await self._families.turned(form, client)
        return await self._minted(REFRESH, held, client, form.get("scope") or held.family.scopes)

    async def _minted(self, kind: str, held: Held, client: Client, scopes: str) -> Answer:
        """For the person as they are now: roles are what they have today."""
        family, person = held.family, await self._people.person(held.family.person)
        if person is None:
            await self._families.end(family.id, "the person may not log in any more")
            raise invalid_grant("what was logged in with is over: log in again")
        wanted = offer.allowed(frozenset(scopes.split()), person, self._settings())
        who = replace(person.principal, client=client.id, scopes=wanted, mode=client.mode)
        over = (person.expires, person.names)
        grant = Grant(kind, who, family.resource, family.id, family.created, *over)
        answer = await self._minting(replace(grant, recorded=kind == CODE))
        return answer | ({"refresh_token": held.refresh} if held.refresh else {})

    async def _by_itself(self, form: Parameters, client: Client) -> Answer:
        if CLIENT not in client.grants:
            raise OAuthError("unauthorized_client", "the client does not act for itself")
        return await self._minting(workload(client, form, self._settings()))

    async def _by_assertion(self, form: Parameters, client: Client) -> Answer:
        if client.method == "none":
            raise OAuthError("invalid_client", "the client has to show who it is", 401)
        return await self._minting(await self._assertions.grant(form, client))
