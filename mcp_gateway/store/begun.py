"""Consents that are under way: whom each was asked of, so that nobody else can answer."""

from sqlmodel import col, delete

from mcp_gateway.store.database import Database
from mcp_gateway.store.rows import BegunRow


class Begun:
    """Each is taken once. What nobody came back for goes when the next one begins."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, row: BegunRow, now: int) -> None:
        with self._database.quietly() as session:
            session.exec(delete(BegunRow).where(col(BegunRow.ends) <= now))
            session.merge(row)

    def take(self, digest: str, now: int) -> BegunRow:
        """Raises KeyError for one that is unknown, taken, or over."""
        with self._database.quietly() as session:
            row = session.get(BegunRow, digest)
            if row is None:
                raise KeyError(digest)
            session.delete(row)
        if row.ends <= now:
            raise KeyError(digest)
        return row
