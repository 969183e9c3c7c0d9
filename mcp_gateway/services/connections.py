"""Connections: the upstreams that people connected, and what becomes of their grants."""

import asyncio
import logging
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mcp_gateway.core import ports
from mcp_gateway.core.entry import Entry
from mcp_gateway.core.errors import Refusal
from mcp_gateway.core.grants import Granted, GrantKey, grant_key
from mcp_gateway.core.principal import Principal
from mcp_gateway.oauth.ports import (
    Brought,
    ConnectFailed,
    Connecting,
    PlaceKind,
    SecretLost,
    Secrets,
)
from mcp_gateway.oauth.vault import place_of
from mcp_gateway.services.keyring import KeyringService
from mcp_gateway.store.database import Database
from mcp_gateway.store.grants import LONGEST_REASON, Grants, Made
from mcp_gateway.store.rows import TicketRow
from mcp_gateway.store.tickets import Tickets, digest_of

log = logging.getLogger(__name__)
LIFE: Final = 600
"""Seconds for which a link may be opened."""
MINUTE: Final = 60.0

Changed = Callable[[Principal, str], Awaitable[None]]
"""Told whose connection to which upstream was made, broke or ended."""


Opened = Callable[[Callable[[str], bool]], None]
"""Told which addresses have done what they were for."""


def nobody(address: Callable[[str], bool]) -> None:
    """Where no runtime waits for that."""


def uncounted(kind: str) -> None:
    """Where nobody counts what is revoked."""


@dataclass(slots=True)
class Kept:
    """Where what people connect is kept. The vault and who revokes are there once wired."""

    database: Database
    ledger: ports.Ledger
    keyring: KeyringService
    secrets: Callable[[], Secrets | None]
    connecting: Callable[[], Connecting | None]
    public: Callable[[], str]


@dataclass(slots=True)
class Connections:
    """Implements `oauth.ports.Consents`. Nothing changes that could not be recorded."""

    kept: Kept
    clock: Callable[[], float] = time.time
    changed: list[Changed] = field(default_factory=list)
    opened: Opened = nobody
    """Told by which links something was connected."""
    used: Callable[[], Collection[GrantKey]] = tuple
    """The grants that calls were made with since it was asked last."""
    revoked: Callable[[str], None] = uncounted
    _renewed: Counter[tuple[str, str]] = field(default_factory=Counter)
    grants: Grants = field(init=False)
    tickets: Tickets = field(init=False)

    def __post_init__(self) -> None:
        self.grants, self.tickets = Grants(self.kept.database), Tickets(self.kept.database)

    async def link(
        self, principal: Principal, server: str, scopes: frozenset[str], call: str
    ) -> str:
        """A new link of this person's; what it was made from is not kept."""
        secret, now = secrets.token_urlsafe(32), int(self.clock())
        row = TicketRow(
            digest=digest_of(secret),
            tenant=principal.tenant,
            issuer=principal.issuer,
            subject=principal.subject,
            upstream=server,
            scopes=" ".join(sorted(scopes)),
            call=call,
            created=now,
            ends=now + LIFE,
        )
        await asyncio.to_thread(self.tickets.add, row)
        return f"{self.kept.public()}/connect/{secret}"

    async def broken(self, principal: Principal, server: str, reason: str) -> None:
        key = grant_key(principal, server)
        known = await asyncio.to_thread(self.grants.row, key)
        if known is None or known.state == "broken":
            return
        await self.record("grant.broken", key, {"grant": known.id, "reason": reason})
        await asyncio.to_thread(self.grants.broke, key, reason)
        await self._spread(principal, server)

    async def refreshed(self, principal: Principal, server: str) -> None:
        now = int(self.clock())
        await asyncio.to_thread(self.grants.refreshed, grant_key(principal, server), now)
        self._renewed[principal.identity, server] += 1

    async def made(
        self, principal: Principal, server: str, kind: PlaceKind, brought: Brought
    ) -> Granted:
        """What a consent brought is the person's grant from here on.

        It is recorded before it can be used, and sealed before anybody looks for it.
        """
        key, vault = grant_key(principal, server), self._vault()
        made = Made(secrets.token_hex(6), kind, brought.scopes, brought.issuer, brought.client)
        said = {"grant": made.id, "grant_kind": kind, "scopes": sorted(made.scopes)}
        if made.issuer:
            said["authorization_server"] = made.issuer
        await self.record("grant.made", key, said)
        await vault.put(place_of(principal, server, kind), brought.tokens)
        granted = await asyncio.to_thread(self.grants.put, key, made, self.clock())
        closed = await asyncio.to_thread(self.tickets.close, key, int(self.clock()))
        await self._spread(principal, server)
        self.opened(lambda address: digest_of(address.rpartition("/")[2]) in closed)
        return granted

    async def revoke(self, key: GrantKey, reason: str) -> bool:
        """Ends a grant here at once, and then where it came from. False when there is none."""
        known = await asyncio.to_thread(self.grants.row, key)
        if known is None:
            return False
        await self.record("grant.revoked", key, {"grant": known.id, "reason": reason})
        await asyncio.to_thread(self.grants.drop, key)
        await self._spread(_principal(key), key[3])
        await self._forget(key, "static" if known.kind == "static" else "delegated")
        self.revoked("grant")
        return True

    async def disconnect(self, tenant: str, issuer: str, subject: str, reason: str) -> None:
        """Ends all that somebody connected."""
        for one in await asyncio.to_thread(self.grants.all, tenant):
            if (one.issuer, one.subject) == (issuer, subject):
                await self.revoke((tenant, issuer, subject, one.upstream), reason)

    async def count(self) -> None:
        """Until cancelled: what was renewed is recorded in sum, and what was used noted."""
        while True:
            await asyncio.sleep(MINUTE)
            await self.record_renewed()
            await self.note_used()

    async def note_used(self) -> None:
        """Once a minute at most for each grant, beside the calls: who looks sees which are."""
        if used := self.used():
            await asyncio.to_thread(self.grants.used, used, int(self.clock()))

    async def record_renewed(self) -> None:
        """One entry for each grant that was renewed since the last time."""
        renewed, self._renewed = self._renewed, Counter()
        for (identity, server), count in renewed.items():
            body = {"upstream": server, "count": count}
            try:
                await self.kept.ledger.append(Entry("grant.refreshed", "", identity, body))
            except Refusal as refusal:
                self._renewed[identity, server] += count
                log.warning("that a grant was renewed is not recorded yet: %s", refusal)

    async def record(self, kind: str, key: GrantKey, body: Mapping[str, Any]) -> None:
        """An entry about a person and an upstream. Raises Overloaded."""
        tenant, issuer, subject, upstream = key
        whose = {"tenant": tenant, "issuer": issuer, "subject": subject, "upstream": upstream}
        if reason := body.get("reason"):  # of a stranger, perhaps
            body = {**body, "reason": reason[:LONGEST_REASON]}
        await self.kept.ledger.append(Entry(kind, "", f"{issuer}|{subject}", {**whose, **body}))

    async def _spread(self, principal: Principal, server: str) -> None:
        await self.kept.keyring.refresh()
        for changed in self.changed:
            await changed(principal, server)

    async def _forget(self, key: GrantKey, kind: PlaceKind) -> None:
        """Here it is over already: what cannot be told to the upstream's server is only logged."""
        vault, place = self._vault(), place_of(_principal(key), key[3], kind)
        try:
            tokens = await vault.get(place)
        except (KeyError, SecretLost):
            tokens = {}
        await vault.drop(place)
        connecting = self.kept.connecting()
        if tokens and connecting and kind == "delegated":
            try:
                await connecting.revoke(key[3], tokens)
            except (Refusal, ConnectFailed) as refusal:
                log.warning("%s was not told that a grant has ended: %s", key[3], refusal)

    def _vault(self) -> Secrets:
        vault = self.kept.secrets()
        if vault is None:
            raise RuntimeError("there is no vault to keep a grant in")
        return vault


def _principal(key: GrantKey) -> Principal:
    tenant, issuer, subject, _ = key
    return Principal(issuer, subject, tenant)
