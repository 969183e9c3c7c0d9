"""The keys that sign tokens: their public halves, and from when on each signs."""

from collections.abc import Sequence

from sqlmodel import col, select

from mcp_gateway.store.database import Database
from mcp_gateway.store.rows import SigningKeyRow


class SigningKeys:
    """In the order in which they sign. The private halves are in the vault."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> Sequence[SigningKeyRow]:
        with self._database.reading() as session:
            return session.exec(select(SigningKeyRow).order_by(col(SigningKeyRow.begins))).all()

    def add(self, row: SigningKeyRow) -> None:
        with self._database.quietly() as session:
            session.add(row)

    def drop(self, kid: str) -> None:
        with self._database.quietly() as session:
            if row := session.get(SigningKeyRow, kid):
                session.delete(row)
