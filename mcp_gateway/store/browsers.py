"""Browsers that somebody is logged in with: rows, by the digest of their cookie."""

from sqlmodel import col, delete

from mcp_gateway.store.database import Database
from mcp_gateway.store.rows import BrowserRow


class Browsers:
    """Every method blocks. No other process need hear of a change: each looks here for a page."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, row: BrowserRow, before: str) -> None:
        """A browser that somebody has logged in with, in place of what it was `before`.

        Those that are over are forgotten.
        """
        with self._database.quietly() as session:
            over = col(BrowserRow.ends) <= row.created
            session.execute(delete(BrowserRow).where(over | (col(BrowserRow.digest) == before)))
            session.add(row)

    def close(self, digest: str) -> None:
        with self._database.quietly() as session:
            session.execute(delete(BrowserRow).where(col(BrowserRow.digest) == digest))

    def used(self, digest: str, now: int) -> None:
        with self._database.quietly() as session:
            if row := session.get(BrowserRow, digest):
                row.used = now
                session.add(row)

    def at(self, digest: str) -> BrowserRow | None:
        with self._database.reading() as session:
            return session.get(BrowserRow, digest)
