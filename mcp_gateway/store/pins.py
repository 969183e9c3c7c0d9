"""Pins: which definition of each target was reviewed, and what asked for access."""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy.dialects.sqlite import insert as upsert
from sqlmodel import Session, col, select

from mcp_gateway.core.target import Definition
from mcp_gateway.store.database import Database
from mcp_gateway.store.tables import AccessRequestRow, PinRow, WordingRow

PinKey = tuple[str, str]
"""(kind, the upstream's own name)."""
MOST: Final = 16
"""Wordings of one name: an upstream that words it anew for everybody is not reviewed any more."""


class Pins:
    """The digests that are served."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, server: str) -> dict[PinKey, PinRow]:
        with self._database.reading() as session:
            rows = session.exec(select(PinRow).where(PinRow.server == server)).all()
            return {(row.kind, row.name): row for row in rows}

    def wordings(self, server: str) -> list[WordingRow]:
        """What was reviewed of it in other words too, the newest first."""
        newest = (col(WordingRow.pinned).desc(), col(WordingRow.digest))
        with self._database.reading() as session:
            found = select(WordingRow).where(WordingRow.server == server)
            return list(session.exec(found.order_by(*newest)).all())

    def pin(self, definitions: Iterable[Definition], now: int, *, beside: bool = False) -> None:
        """Takes these definitions as reviewed, in place of any earlier ones or beside them.

        All in one statement: there may be thousands, and whoever else writes waits for it.
        """
        rows = [_row(definition, now) for definition in definitions]
        if not rows:
            return
        insert = upsert(PinRow)
        replacing = {name: insert.excluded[name] for name in ("digest", "definition", "pinned")}
        statement = insert.on_conflict_do_update(
            index_elements=["server", "kind", "name"], set_=replacing
        )
        with self._database.writing() as session:
            if beside:
                _keep(session, rows)
            session.execute(statement, rows)


def _row(definition: Definition, now: int) -> dict[str, Any]:
    return PinRow(
        server=definition.server,
        kind=definition.kind,
        name=definition.name,
        digest=definition.digest,
        definition=definition.raw,
        pinned=now,
    ).model_dump()


def _keep(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """These and what they take the place of stay beside each other, the newest of each name."""
    for server, kind, name in {(row["server"], row["kind"], row["name"]) for row in rows}:
        before = session.get(PinRow, (server, kind, name))
        known = [before.model_dump()] if before else []
        for row in (*known, *(r for r in rows if (r["kind"], r["name"]) == (kind, name))):
            session.merge(WordingRow(**row))
        oldest = (col(WordingRow.pinned), col(WordingRow.digest))
        of_name = (WordingRow.server == server, WordingRow.kind == kind, WordingRow.name == name)
        found = session.exec(select(WordingRow).where(*of_name).order_by(*oldest)).all()
        for over in found[:-MOST]:
            session.delete(over)


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
