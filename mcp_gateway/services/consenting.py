"""Consenting: from the link that a person opens to the grant that they gave."""

import asyncio
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from mcp_gateway.config import Server
from mcp_gateway.core.grants import GrantKey
from mcp_gateway.core.principal import Principal
from mcp_gateway.oauth.ports import Brought, ConnectFailed, Connecting
from mcp_gateway.services.connections import LIFE, Connections
from mcp_gateway.store.rows import FlowRow, TicketRow
from mcp_gateway.store.tickets import digest_of

CALLBACK: Final = "/connect/callback"
_HEADER: Final = re.compile(r"[\x21-\x7e]{1,8192}")
_SHOWN: Final = 8
"""Characters of a digest by which the ledger names a link."""


class LinkOver(Exception):
    """A link, or a consent that is under way, that is unknown, expired, used or another's."""


class NotLoggedIn(Exception):
    """Whose link it is has to show that it is they who open it."""


class NotTheirs(Exception):
    """The link is somebody else's, who is not named."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What a page shows of a link: where it leads, and what is asked for.

    `typed` says that the person has a key of that upstream to put in.
    """

    upstream: str
    url: str
    scopes: tuple[str, ...]
    typed: bool


@dataclass(slots=True)
class Consenting:
    """`servers` and `anonymous` are of the configuration in force.

    Where everybody is anonymous, a link of theirs needs no log-in: there is nobody to tell apart.
    """

    connections: Connections
    servers: Callable[[], Mapping[str, Server]]
    connecting: Callable[[], Connecting | None]
    anonymous: Callable[[], bool]

    async def opened(self, ticket: str, person: Principal | None) -> Opened:
        """Raises LinkOver, NotLoggedIn, NotTheirs."""
        row = await self._found(ticket, person)
        config = self._config(row.upstream)
        url = str(config.own().get("url", ""))
        typed = config.grant.kind == "static"
        return Opened(row.upstream, url, tuple(row.scopes.split()), typed)

    async def begin(self, ticket: str, person: Principal | None, browser: str) -> str:
        """Where the browser goes to consent. Raises as `opened`, and ConnectFailed."""
        row = await self._found(ticket, person)
        self._config(row.upstream)
        state, now = secrets.token_urlsafe(32), int(self.connections.clock())
        address = await self._client().begin(
            row.upstream, frozenset(row.scopes.split()), state, self._callback
        )
        await self._record("connect.started", row, "")
        flow = FlowRow(
            digest=digest_of(state),
            ticket=row.digest,
            browser=digest_of(browser),
            upstream=row.upstream,
            created=now,
            ends=now + LIFE,
        )
        await asyncio.to_thread(self.connections.tickets.begin, flow)
        return address

    async def finish(self, query: Mapping[str, str], person: Principal | None, browser: str) -> str:
        """The upstream that is connected now. Raises as `begin`."""
        state, now = query.get("state", ""), int(self.connections.clock())
        tickets = self.connections.tickets
        row = await asyncio.to_thread(tickets.return_, digest_of(state), digest_of(browser), now)
        if row is None:
            raise LinkOver
        await self._check(row, person)
        self._config(row.upstream)
        try:
            brought = await self._client().finish(row.upstream, state, query, self._callback)
        except ConnectFailed as failed:
            await self._record("connect.refused", row, str(failed))
            raise
        await self.connections.made(_principal(row), row.upstream, "delegated", brought)
        return row.upstream

    async def typed(self, ticket: str, person: Principal | None, value: str) -> str:
        """The upstream whose key was put in. Raises as `opened`, and ConnectFailed."""
        row = await self._found(ticket, person)
        if self._config(row.upstream).grant.kind != "static":
            raise LinkOver
        if not _HEADER.fullmatch(value):
            raise ConnectFailed("a key is of 1 to 8192 letters, digits and signs, without a blank")
        brought = Brought({"value": value})
        await self.connections.made(_principal(row), row.upstream, "static", brought)
        return row.upstream

    @property
    def _callback(self) -> str:
        return self.connections.kept.public() + CALLBACK

    async def _found(self, ticket: str, person: Principal | None) -> TicketRow:
        now = int(self.connections.clock())
        row = await asyncio.to_thread(self.connections.tickets.find, digest_of(ticket), now)
        if row is None:
            raise LinkOver
        await self._check(row, person)
        return row

    async def _check(self, row: TicketRow, person: Principal | None) -> None:
        """Who opens a link has to be who it was made for."""
        if row.issuer == "anonymous" and self.anonymous():
            return
        if person is None:
            raise NotLoggedIn
        if (person.tenant, person.issuer, person.subject) != (row.tenant, row.issuer, row.subject):
            await self._record("connect.refused", row, "another person opened the link")
            raise NotTheirs

    def _config(self, upstream: str) -> Server:
        """Raises LinkOver for a server that is gone, or that nobody connects any more."""
        config = self.servers().get(upstream)
        if config is None or not (config.grant.kind == "delegated" or config.grant.per_user):
            raise LinkOver
        return config

    def _client(self) -> Connecting:
        client = self.connecting()
        if client is None:
            raise ConnectFailed("this gateway connects nobody's upstreams")
        return client

    async def _record(self, kind: str, row: TicketRow, reason: str) -> None:
        said = {"ticket": row.digest[:_SHOWN], **({"reason": reason} if reason else {})}
        await self.connections.record(kind, _key(row), said)


def _key(row: TicketRow) -> GrantKey:
    return row.tenant, row.issuer, row.subject, row.upstream


def _principal(row: TicketRow) -> Principal:
    return Principal(row.issuer, row.subject, row.tenant)
