"""Clients of the authorization server that were met: registered by themselves, or by document."""

import time
from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy import ColumnElement, delete, func, update
from sqlmodel import Session, col, select

from mcp_gateway.store.database import Database
from mcp_gateway.store.rows import ClientRow

DCR: Final = "dcr"
CIMD: Final = "cimd"
MOST_DOCUMENTS: Final = 10_000
"""Documents that are kept at once."""


class Clients:
    """By id. A client that a configuration names is in no row."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def full(self, most: int) -> bool:
        """Whether there are `most` already that registered themselves."""
        with self._database.reading() as session:
            return session.exec(select(func.count()).where(ClientRow.kind == DCR)).one() >= most

    def add(self, row: ClientRow) -> None:
        with self._database.quietly() as session:
            session.add(row)

    def find(self, id_: str) -> ClientRow | None:
        with self._database.reading() as session:
            return session.get(ClientRow, id_)

    def keep(self, row: ClientRow, most: int = MOST_DOCUMENTS) -> None:
        """Puts a document in place of the one that was there.

        Beyond `most` the one that was fetched first goes, of those that never got a token.
        """
        with self._database.quietly() as session:
            before = session.get(ClientRow, row.id)
            if before is not None:
                row.created, row.used = before.created, before.used
            session.merge(row)
            _make_room(session, most)

    def used(self, id_: str) -> None:
        """It got a token just now."""
        with self._database.quietly() as session:
            now = int(self._clock())
            session.exec(update(ClientRow).where(col(ClientRow.id) == id_).values(used=now))

    def list(self) -> Sequence[ClientRow]:
        with self._database.reading() as session:
            return session.exec(select(ClientRow).order_by(col(ClientRow.created))).all()

    def idle(self, unused: int, idle: int) -> Sequence[ClientRow]:
        """Those that never got a token for `unused` seconds, or got none for `idle`.

        A document that may still be used without being fetched is not among them.
        """
        with self._database.reading() as session:
            return session.exec(select(ClientRow).where(self._gone(unused, idle))).all()

    def forget(self, ids: Sequence[str], unused: int, idle: int) -> None:
        """Forgets those of them that are idle still."""
        gone = col(ClientRow.id).in_(ids) & self._gone(unused, idle)
        with self._database.quietly() as session:
            session.exec(delete(ClientRow).where(gone))

    def drop(self, id_: str) -> bool:
        """False when it was not there."""
        with self._database.quietly() as session:
            row = session.get(ClientRow, id_)
            if row is not None:
                session.delete(row)
            return row is not None

    def _gone(self, unused: int, idle: int) -> ColumnElement[bool]:
        now = int(self._clock())
        used, created = col(ClientRow.used), col(ClientRow.created)
        never = (used == 0) & (created < now - unused)
        return (never | ((used > 0) & (used < now - idle))) & (col(ClientRow.ends) < now)


def _make_room(session: Session, most: int) -> None:
    documents = col(ClientRow.kind) == CIMD
    session.flush()
    over = session.exec(select(func.count()).where(documents)).one() - most
    if over > 0:
        oldest = (
            select(ClientRow)
            .where(documents, col(ClientRow.used) == 0)
            .order_by(col(ClientRow.fetched))
            .limit(over)
        )
        for row in session.exec(oldest).all():
            session.delete(row)
