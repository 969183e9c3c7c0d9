"""Pins: which definition of each target was reviewed, and what asked for access."""

import secrets
from collections.abc import Iterable

from sqlalchemy.dialects.sqlite import insert as upsert
from sqlmodel import select

from mcp_gateway.core.target import Definition
from mcp_gateway.store.database import Database
from mcp_gateway.store.tables import AccessRequestRow, PinRow

PinKey = tuple[str, str]
"""(kind, the upstream's own name)."""


class Pins:
    """The digests that are served."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, server: str) -> dict[PinKey, PinRow]:
        with self._database.reading() as session:
            rows = session.exec(select(PinRow).where(PinRow.server == server)).all()
            return {(row.kind, row.name): row for row in rows}

    def pin(self, definitions: Iterable[Definition], now: int) -> None:
        """Takes these definitions as reviewed, in place of any earlier ones.

        All in one statement: there may be thousands, and whoever else writes waits for it.
        """
        rows = [
            PinRow(
                server=definition.server,
                kind=definition.kind,
                name=definition.name,
                digest=definition.digest,
                definition=definition.raw,
                pinned=now,
            ).model_dump()
            for definition in definitions
        ]
        if not rows:
            return
        insert = upsert(PinRow)
        replacing = {name: insert.excluded[name] for name in ("digest", "definition", "pinned")}
        statement = insert.on_conflict_do_update(
            index_elements=["server", "kind", "name"], set_=replacing
        )
        with self._database.writing() as session:
            session.execute(statement, rows)


class AccessRequests:
    """What people asked to be let into."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, row: AccessRequestRow, most: int) -> str:
        """Its number. Asked for again, it is the same; empty when `most` are open already."""
        open_ = [r for r in self.open(row.tenant) if r.identity == row.identity]
        same = next((known.id for known in open_ if known.target == row.target), "")
        if same or len(open_) >= most:
            return same
        row.id = secrets.token_hex(4)
        with self._database.writing() as session:
            session.add(row)
        return row.id

    def open(self, tenant: str) -> list[AccessRequestRow]:
        with self._database.reading() as session:
            query = select(AccessRequestRow).where(
                AccessRequestRow.tenant == tenant, AccessRequestRow.closed == 0
            )
            return list(session.exec(query).all())
