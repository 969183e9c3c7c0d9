"""Grants: which upstreams people connected, as rows, and as the keyring has them."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final, cast

from sqlalchemy import bindparam, update
from sqlmodel import Session, col, select

from mcp_gateway.core.grants import Granted, GrantKey, GrantState
from mcp_gateway.store.database import Database
from mcp_gateway.store.rows import GrantRow

LONGEST_REASON: Final = 300


@dataclass(frozen=True, slots=True)
class Made:
    """What a consent brought, without what it opens. `issuer` is the authorization server's."""

    id: str
    kind: str
    scopes: frozenset[str] = frozenset()
    issuer: str = ""
    client: str = ""


@dataclass(frozen=True, slots=True)
class GrantSummary:
    """What may be shown of a grant. Times are Unix seconds, 0 for never."""

    id: str
    issuer: str
    subject: str
    upstream: str
    kind: str
    authorization_server: str
    scopes: list[str]
    state: str
    reason: str
    created: int
    refreshed: int
    used: int
    checked: int


class Grants:
    """The rows. What opens an upstream is not among them, but in the vault."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, key: GrantKey, made: Made, now: float) -> Granted:
        """Another grant in place of any earlier one, with a greater version.

        A version is never had twice, though the row was dropped meanwhile: what a process still
        holds of a grant that is over is told by it.
        """
        tenant, who, subject, upstream = key
        with self._database.writing() as session:
            before = _of(session, key)
            least = before.version + 1 if before else 1
            if before:
                session.delete(before)
                session.flush()
            row = GrantRow(
                id=made.id,
                tenant=tenant,
                issuer=who,
                subject=subject,
                upstream=upstream,
                kind=made.kind,
                server_issuer=made.issuer,
                client=made.client,
                scopes=" ".join(sorted(made.scopes)),
                version=max(least, int(now * 1000)),
                created=int(now),
                refreshed=int(now),
                checked=int(now),
            )
            session.add(row)
            return _granted(row)

    def broke(self, key: GrantKey, reason: str) -> bool:
        """The grant opens nothing any more. False when there is none, or it was so before."""
        with self._database.writing() as session:
            row = _of(session, key)
            if row is None or row.state == "broken":
                return False
            row.state, row.reason = "broken", reason[:LONGEST_REASON]
            session.add(row)
            return True

    def refreshed(self, key: GrantKey, now: int) -> None:
        """Its tokens were renewed: nobody need hear of it."""
        self._touch(key, refreshed=now, checked=now)

    def checked(self, key: GrantKey, now: int) -> None:
        """Somebody looked whether it still opens its upstream."""
        self._touch(key, checked=now)

    def used(self, keys: Collection[GrantKey], now: int) -> None:
        """Calls were made with these: nobody need hear of it."""
        values = [
            {"of_tenant": key[0], "of_issuer": key[1], "of_subject": key[2], "at": key[3]}
            for key in keys
        ]
        statement = (
            update(GrantRow)
            .where(
                col(GrantRow.tenant) == bindparam("of_tenant"),
                col(GrantRow.issuer) == bindparam("of_issuer"),
                col(GrantRow.subject) == bindparam("of_subject"),
                col(GrantRow.upstream) == bindparam("at"),
            )
            .values(used=now)
        )
        with self._database.quietly() as session:
            session.connection().execute(statement, values)

    def drop(self, key: GrantKey) -> bool:
        """Nothing is granted any more. False when nothing was."""
        with self._database.writing() as session:
            row = _of(session, key)
            if row is not None:
                session.delete(row)
            return row is not None

    def row(self, key: GrantKey) -> GrantRow | None:
        with self._database.reading() as session:
            return _of(session, key)

    def all(self, tenant: str) -> list[GrantSummary]:
        """Every grant of a tenant, the oldest first."""
        with self._database.reading() as session:
            rows = session.exec(select(GrantRow).where(GrantRow.tenant == tenant))
            return [_summary(row) for row in sorted(rows, key=lambda row: (row.created, row.id))]

    def stale(self, before: int, most: int) -> list[GrantKey]:
        """Connected grants that nobody looked at since, those first that wait the longest."""
        query = (
            select(GrantRow)
            .where(GrantRow.state == "connected", GrantRow.checked < before)
            .order_by(col(GrantRow.checked))
            .limit(most)
        )
        with self._database.reading() as session:
            return [_key(row) for row in session.exec(query)]

    def _touch(self, key: GrantKey, **values: Any) -> None:
        tenant, issuer, subject, upstream = key
        statement = update(GrantRow).where(
            col(GrantRow.tenant) == tenant,
            col(GrantRow.issuer) == issuer,
            col(GrantRow.subject) == subject,
            col(GrantRow.upstream) == upstream,
        )
        with self._database.quietly() as session:
            session.exec(statement.values(**values))


def granted(session: Session) -> dict[GrantKey, Granted]:
    """What the keyring says of all grants."""
    return {_key(row): _granted(row) for row in session.exec(select(GrantRow))}


def _of(session: Session, key: GrantKey) -> GrantRow | None:
    tenant, issuer, subject, upstream = key
    query = select(GrantRow).where(
        GrantRow.tenant == tenant,
        GrantRow.issuer == issuer,
        GrantRow.subject == subject,
        GrantRow.upstream == upstream,
    )
    return session.exec(query).first()


def _key(row: GrantRow) -> GrantKey:
    return row.tenant, row.issuer, row.subject, row.upstream


def _granted(row: GrantRow) -> Granted:
    state, scopes = cast("GrantState", row.state), frozenset(row.scopes.split())
    return Granted(row.id, row.version, state, scopes, row.reason)


def _summary(row: GrantRow) -> GrantSummary:
    return GrantSummary(
        id=row.id,
        issuer=row.issuer,
        subject=row.subject,
        upstream=row.upstream,
        kind=row.kind,
        authorization_server=row.server_issuer,
        scopes=row.scopes.split(),
        state=row.state,
        reason=row.reason,
        created=row.created,
        refreshed=row.refreshed,
        used=row.used,
        checked=row.checked,
    )
