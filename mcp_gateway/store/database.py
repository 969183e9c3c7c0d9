"""Database: the file, its tables, and the number that tells others of a change."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, event
from sqlalchemy.exc import DatabaseError
from sqlmodel import Session, SQLModel, create_engine, select

from mcp_gateway.store import rows  # noqa: F401  # its tables are made with all others
from mcp_gateway.store.tables import RevisionRow


class StoreDamagedError(Exception):
    """The file of the store is not one, or not of this version."""


class Database:
    """One SQLite file. Every method blocks: callers on the event loop use a thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, path: Path) -> "Database":
        """Opens or creates the file, readable by its owner only. Raises StoreDamagedError."""
        path.touch(mode=0o600, exist_ok=True)
        engine = create_engine(f"sqlite:///{path}", connect_args={"check_same_thread": False})
        event.listen(engine, "connect", _durable)
        try:
            SQLModel.metadata.create_all(engine)
        except DatabaseError as error:
            engine.dispose()
            raise StoreDamagedError(f"{path}: {error.orig}") from None
        return cls(engine)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with Session(self._engine) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction that others see as a new revision. An exception undoes it."""
        with self.quietly() as session:
            yield session
            row = session.get(RevisionRow, 1) or RevisionRow()
            row.number += 1
            session.add(row)

    @contextmanager
    def quietly(self) -> Iterator[Session]:
        """A transaction that no other process need hear of. An exception undoes it.

        It holds the store from its beginning: what is read in it is still so when it writes.
        """
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            session.connection().exec_driver_sql("BEGIN IMMEDIATE")
            yield session

    def revision(self) -> int:
        """The number of changes so far."""
        with self.reading() as session:
            return session.exec(select(RevisionRow.number)).first() or 0

    def close(self) -> None:
        self._engine.dispose()


def _durable(connection: object, _record: object) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000"):
        connection.execute(f"PRAGMA {pragma}")  # type: ignore[attr-defined]
