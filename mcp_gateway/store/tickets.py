"""Tickets and flows: the links by which people connect, and the consents that are under way."""

import hashlib
from collections.abc import Sequence
from typing import Final

from sqlalchemy import delete
from sqlmodel import Session, col, select

from mcp_gateway.core.grants import GrantKey
from mcp_gateway.store.database import Database
from mcp_gateway.store.rows import FlowRow, TicketRow

MOST_OPEN: Final = 16
"""Links of one person to one upstream; the oldest dies for another one."""
KEPT: Final = 3600
"""Seconds for which a link is kept that has expired: what it began may still end."""


def digest_of(secret: str) -> str:
    """By what a ticket, a state or a browser is known here: none of them can be read back."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Tickets:
    """The rows. Nothing in them opens anything."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, row: TicketRow) -> None:
        """Keeps a link, and forgets what nobody can use any more."""
        with self._database.quietly() as session:
            session.exec(delete(TicketRow).where(col(TicketRow.ends) <= row.created - KEPT))
            session.exec(delete(FlowRow).where(col(FlowRow.ends) <= row.created))
            for older in _open(session, _key(row))[MOST_OPEN - 1 :]:
                session.delete(older)
            session.add(row)

    def find(self, digest: str, now: int) -> TicketRow | None:
        """A link that may still be used."""
        with self._database.reading() as session:
            row = session.get(TicketRow, digest)
            return row if row and not row.used and row.ends > now else None

    def begin(self, row: FlowRow) -> None:
        """A consent is under way."""
        with self._database.quietly() as session:
            session.add(row)

    def return_(self, digest: str, browser: str, now: int) -> TicketRow | None:
        """The ticket of a flow that this browser began and comes back from, once.

        It may have expired meanwhile, but nothing may have been connected by it. A state that
        another browser shows stays what it was: whose it is may still come back.
        """
        with self._database.quietly() as session:
            flow = session.get(FlowRow, digest)
            if flow is None or flow.used or flow.ends <= now or flow.browser != browser:
                return None
            flow.used = now
            session.add(flow)
            ticket = session.get(TicketRow, flow.ticket)
            return ticket if ticket and not ticket.used else None

    def close(self, key: GrantKey, now: int) -> frozenset[str]:
        """Something was connected: no link to it is needed any more. Returns their digests."""
        with self._database.quietly() as session:
            closed = _open(session, key)
            for row in closed:
                row.used = now
                session.add(row)
            return frozenset(row.digest for row in closed)


def _open(session: Session, key: GrantKey) -> Sequence[TicketRow]:
    """The links that one person has to one upstream, the newest first."""
    tenant, issuer, subject, upstream = key
    query = (
        select(TicketRow)
        .where(
            TicketRow.tenant == tenant,
            TicketRow.issuer == issuer,
            TicketRow.subject == subject,
            TicketRow.upstream == upstream,
            TicketRow.used == 0,
        )
        .order_by(col(TicketRow.created).desc(), col(TicketRow.digest))
    )
    return session.exec(query).all()


def _key(row: TicketRow) -> GrantKey:
    return row.tenant, row.issuer, row.subject, row.upstream
