"""What people allowed clients, by the host where the answer goes."""

import secrets
import time
from collections.abc import Callable, Sequence

from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from mcp_gateway.store.database import Database
from mcp_gateway.store.rows import ConsentRow


class Consents:
    """One row for a person, a client and a host: a later consent adds to its scopes."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def give(self, person: str, client: str, host: str, scopes: frozenset[str]) -> str:
        """Returns the consent's id. One that was revoked begins anew, with these scopes alone."""
        with self._database.quietly() as session:
            row = session.exec(_one(person, client, host)).first()
            if row is None:
                row = ConsentRow(
                    id=secrets.token_hex(8),
                    person=person,
                    client=client,
                    host=host,
                    scopes="",
                    created=0,
                )
            if row.revoked:
                row.scopes = ""
            row.revoked, row.created = 0, int(self._clock())
            row.scopes = " ".join(sorted(scopes | set(row.scopes.split())))
            session.add(row)
            return row.id

    def given(self, person: str, client: str, host: str) -> frozenset[str]:
        """What is allowed; nothing, where nobody was asked or it was revoked."""
        with self._database.reading() as session:
            row = session.exec(_one(person, client, host)).first()
            return frozenset(row.scopes.split()) if row and not row.revoked else frozenset()

    def of(self, person: str) -> Sequence[ConsentRow]:
        """What a person allows now."""
        found = select(ConsentRow).where(ConsentRow.person == person, ConsentRow.revoked == 0)
        with self._database.reading() as session:
            return session.exec(found.order_by(col(ConsentRow.created))).all()

    def revoke(self, person: str, client: str) -> int:
        """Takes back what a person allowed a client, at every host. Returns how much it was."""
        with self._database.quietly() as session:
            rows = session.exec(
                select(ConsentRow).where(
                    ConsentRow.person == person,
                    ConsentRow.client == client,
                    ConsentRow.revoked == 0,
                )
            ).all()
            for row in rows:
                row.revoked = int(self._clock())
                session.add(row)
            return len(rows)


def _one(person: str, client: str, host: str) -> SelectOfScalar[ConsentRow]:
    return select(ConsentRow).where(
        ConsentRow.person == person, ConsentRow.client == client, ConsentRow.host == host
    )
