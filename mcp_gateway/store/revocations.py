"""Revocations: names that authenticate nobody any more."""

from dataclasses import dataclass

from sqlmodel import Session, col, delete, select

from mcp_gateway.store.database import Database
from mcp_gateway.store.rows import EndedRow, FamilyRow, TokenRevocationRow, UsedRow
from mcp_gateway.store.tables import RevocationRow


@dataclass(frozen=True, slots=True)
class Revoked:
    """One of them. `before` is 0 where it counts for what comes later too, as `ends` is for ever.

    Times are Unix seconds.
    """

    name: str
    reason: str
    before: int = 0
    ends: int = 0


class Revocations:
    """For ever, up to a moment, or until a token expires. The names are those of `Keyring`.

    Every method but `once`, `unused` and `collect` is a change that other processes see.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def deny(self, name: str, reason: str, now: int) -> None:
        """Revokes a name for good: also what is issued later, until `restore`."""
        with self._database.writing() as session:
            session.merge(RevocationRow(name=name, reason=reason, revoked=now))

    def end(self, name: str, before: int, reason: str) -> None:
        """Revokes all that goes by a name and was issued at `before` or earlier."""
        with self._database.writing() as session:
            known = session.get(EndedRow, name)
            if known is None or known.before < before:
                session.merge(EndedRow(name=name, before=before, reason=reason))

    def end_token(self, name: str, ends: int, reason: str) -> None:
        """Revokes one token, kept in mind until `ends`, when it has expired."""
        with self._database.writing() as session:
            known = session.get(TokenRevocationRow, name)
            if known is None or known.ends < ends:
                session.merge(TokenRevocationRow(name=name, reason=reason, ends=ends))

    def end_family(self, id_: str, now: int, ends: int, reason: str) -> bool:
        """Ends a family of tokens: nothing renews it, and none of it is good any more.

        It is kept in mind until `ends`, when its last token has expired: one that another process
        is just making bears a later time than `now`, and is over all the same. False when the
        family is over already, or was never there.
        """
        with self._database.reading() as session:
            if not _lives(session, id_):
                return False
        with self._database.writing() as session:
            if family := _lives(session, id_):
                family.revoked = now
                session.add(family)
                session.merge(TokenRevocationRow(name=f"family:{id_}", reason=reason, ends=ends))
            return family is not None

    def restore(self, name: str) -> bool:
        """Takes a revocation back. False when there is none of that name."""
        with self._database.writing() as session:
            found = [row for table in _TABLES if (row := session.get(table, name))]
            for row in found:
                session.delete(row)
            return bool(found)

    def list(self, now: int) -> list[Revoked]:
        """All that count, by name."""
        with self._database.reading() as session:
            found = [Revoked(row.name, row.reason) for row in session.exec(select(RevocationRow))]
            found += [
                Revoked(row.name, row.reason, before=row.before)
                for row in session.exec(select(EndedRow))
            ]
            found += [
                Revoked(row.name, row.reason, ends=row.ends)
                for row in session.exec(select(TokenRevocationRow))
                if row.ends > now
            ]
        return sorted(found, key=lambda revoked: revoked.name)

    def once(self, name: str, ends: int) -> bool:
        """Whether this is the first time that what is valid until `ends` is shown."""
        with self._database.quietly() as session:
            if session.get(UsedRow, name) is not None:
                return False
            session.add(UsedRow(name=name, ends=ends))
            return True

    def unused(self, name: str) -> None:
        """What was shown did not come to anything: it may be shown again."""
        with self._database.quietly() as session:
            session.exec(delete(UsedRow).where(col(UsedRow.name) == name))

    def collect(self, now: int) -> None:
        """Forgets what is over by itself: tokens that have expired, and what was shown once."""
        with self._database.quietly() as session:
            for table in (TokenRevocationRow, UsedRow):
                session.exec(delete(table).where(col(table.ends) <= now))


def _lives(session: Session, id_: str) -> FamilyRow | None:
    family = session.get(FamilyRow, id_)
    return family if family and not family.revoked else None


def names_in(session: Session) -> tuple[frozenset[str], dict[str, int]]:
    """What a keyring holds of them: names that are revoked, and those that are up to a moment."""
    revoked = frozenset(session.exec(select(RevocationRow.name)))
    tokens = frozenset(session.exec(select(TokenRevocationRow.name)))
    ended = {row.name: row.before for row in session.exec(select(EndedRow))}
    return revoked | tokens, ended


_TABLES = (RevocationRow, EndedRow, TokenRevocationRow)
