"""Sealed secrets: rows to what was sealed and back. Nothing here can open one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Update, update
from sqlmodel import col, func, select, tuple_

from mcp_gateway.store.database import Database
from mcp_gateway.store.rows import SecretRow

Key = tuple[str, str, str, str]
"""Tenant, principal, upstream, kind."""
START: Key = ("", "", "", "")
"""Before every key."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a seal comes to."""

    key_id: str
    wrapped: bytes
    nonce: bytes
    content: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """One row."""

    key: Key
    version: int
    envelope: Envelope


class SecretRows:
    """The table. Every method blocks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, key: Key, seal: Callable[[int], Envelope], now: int) -> int:
        """Keeps what `seal` makes for the next version, over what was there."""
        with self._database.quietly() as session:
            row = session.get(SecretRow, key)
            version = row.version + 1 if row else 1
            made = seal(version)
            session.merge(
                SecretRow(
                    tenant=key[0],
                    principal=key[1],
                    upstream=key[2],
                    kind=key[3],
                    version=version,
                    key_id=made.key_id,
                    wrapped=made.wrapped,
                    nonce=made.nonce,
                    content=made.content,
                    written=now,
                )
            )
            return version

    def get(self, key: Key) -> Kept:
        """Raises KeyError."""
        with self._database.reading() as session:
            row = session.get(SecretRow, key)
            if row is None:
                raise KeyError(key)
            return _kept(row)

    def drop(self, key: Key) -> None:
        with self._database.quietly() as session:
            row = session.get(SecretRow, key)
            if row is not None:
                session.delete(row)

    def under_others(self, key_id: str, after: Key, most: int) -> Sequence[Kept]:
        """What other keys wrapped, in the order of the keys from behind `after` on."""
        order = (SecretRow.tenant, SecretRow.principal, SecretRow.upstream, SecretRow.kind)
        columns = [col(name) for name in order]
        asked = (
            select(SecretRow)
            .where(SecretRow.key_id != key_id, tuple_(*columns) > after)
            .order_by(*columns)
            .limit(most)
        )
        with self._database.reading() as session:
            return [_kept(row) for row in session.exec(asked)]

    def rewrap(self, made: Sequence[tuple[Kept, Envelope]]) -> int:
        """Rows under another key, in one transaction; what has changed meanwhile stays.

        Returns how many it were.
        """
        with self._database.quietly() as session:
            return sum(session.exec(_changed(*one)).rowcount for one in made)

    def counts(self) -> dict[str, int]:
        """How many each key wraps."""
        asked = select(SecretRow.key_id, func.count()).group_by(SecretRow.key_id)
        with self._database.reading() as session:
            return dict(session.exec(asked).all())


def _changed(before: Kept, after: Envelope) -> Update:
    tenant, principal, upstream, kind = before.key
    return (
        update(SecretRow)
        .where(
            col(SecretRow.tenant) == tenant,
            col(SecretRow.principal) == principal,
            col(SecretRow.upstream) == upstream,
            col(SecretRow.kind) == kind,
            col(SecretRow.version) == before.version,
            col(SecretRow.key_id) == before.envelope.key_id,
        )
        .values(key_id=after.key_id, wrapped=after.wrapped)
    )


def _kept(row: SecretRow) -> Kept:
    key = (row.tenant, row.principal, row.upstream, row.kind)
    envelope = Envelope(row.key_id, row.wrapped, row.nonce, row.content)
    return Kept(key, row.version, envelope)
