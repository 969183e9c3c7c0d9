"""Clients of the authorization server that were met: registered by themselves, or by document."""

import time
from collections.abc import Callable, Sequence

from sqlalchemy import delete, func, update
from sqlmodel import col, select

from mcp_gateway.store.database import Database
from mcp_gateway.store.rows import ClientRow

DCR = "dcr"
CIMD = "cimd"


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

    def keep(self, row: ClientRow) -> None:
        """Puts a document in place of the one that was there."""
        with self._database.quietly() as session:
            before = session.get(ClientRow, row.id)
            if before is not None:
                row.created, row.used = before.created, before.used
            session.merge(row)

    def used(self, id_: str) -> None:
        """It got a token just now."""
        with self._database.quietly() as session:
            now = int(self._clock())
            session.exec(update(ClientRow).where(col(ClientRow.id) == id_).values(used=now))

    def list(self) -> Sequence[ClientRow]:
        with self._database.reading() as session:
            return session.exec(select(ClientRow).order_by(col(ClientRow.created))).all()

    def collect(self, unused: int, idle: int) -> Sequence[str]:
        """Forgets those that registered themselves and are not used; returns their ids.

        Never used for `unused` seconds, or not for `idle`.
        """
        now = int(self._clock())
        gone = (ClientRow.kind == DCR) & (
            ((ClientRow.used == 0) & (ClientRow.created < now - unused))
            | ((ClientRow.used > 0) & (ClientRow.used < now - idle))
        )
        with self._database.quietly() as session:
            ids = session.exec(select(ClientRow.id).where(gone)).all()
            session.exec(delete(ClientRow).where(col(ClientRow.id).in_(ids)))
            return ids
