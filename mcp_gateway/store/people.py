"""People and their browsers: rows to the types of who logs in, and back."""

import secrets

from sqlmodel import Session, col, delete, select

from mcp_gateway.core.principal import Principal
from mcp_gateway.store.database import Database
from mcp_gateway.store.rows import BrowserRow, PersonRow


class People:
    """Who has logged in. Every method blocks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def met(self, principal: Principal, now: int) -> str:
        """The id of whom this principal is, who is remembered from here on."""
        with self._database.quietly() as session:
            row = _row(session, principal)
            if row is None:
                row = PersonRow(
                    id=secrets.token_hex(8),
                    tenant=principal.tenant,
                    issuer=principal.issuer,
                    subject=principal.subject,
                    created=now,
                )
                session.add(row)
            return row.id

    def open(self, row: BrowserRow) -> None:
        """A browser that somebody has logged in with. Those that are over are forgotten."""
        with self._database.quietly() as session:
            session.execute(delete(BrowserRow).where(col(BrowserRow.ends) <= row.created))
            session.add(row)

    def close(self, digest: str) -> None:
        with self._database.quietly() as session:
            session.execute(delete(BrowserRow).where(col(BrowserRow.digest) == digest))

    def used(self, digest: str, now: int) -> None:
        with self._database.quietly() as session:
            if row := session.get(BrowserRow, digest):
                row.used = now
                session.add(row)

    def at(self, digest: str) -> tuple[BrowserRow, PersonRow] | None:
        """Who is at a browser: None for one that is unknown, or whose person is disabled."""
        with self._database.reading() as session:
            browser = session.get(BrowserRow, digest)
            row = session.get(PersonRow, browser.person) if browser else None
            if browser is None or row is None or row.disabled:
                return None
            return browser, row


def _row(session: Session, principal: Principal) -> PersonRow | None:
    return session.exec(
        select(PersonRow).where(
            PersonRow.tenant == principal.tenant,
            PersonRow.issuer == principal.issuer,
            PersonRow.subject == principal.subject,
        )
    ).first()
