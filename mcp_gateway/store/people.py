"""People who log in with a password, or at a provider: rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlmodel import Session, col, delete, select

from mcp_gateway.store.database import Database
from mcp_gateway.store.keys import LOCAL
from mcp_gateway.store.rows import BrowserRow, CodeRow, EndedRow, FamilyRow, PersonRow
from mcp_gateway.store.tables import RevocationRow

DISABLED: Final = "the person is disabled"


@dataclass(frozen=True, slots=True)
class PersonSummary:
    """What may be shown of a person. Times are Unix seconds, 0 for never."""

    issuer: str
    subject: str
    name: str
    roles: list[str]
    created: int
    disabled: int


class PersonRows:
    """Every method blocks. What ends a log-in is a change that other processes see."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def at(self, id_: str) -> PersonRow | None:
        with self._database.reading() as session:
            return session.get(PersonRow, id_)

    def named(self, tenant: str, subject: str, issuer: str = LOCAL) -> PersonRow | None:
        with self._database.reading() as session:
            return _named(session, tenant, issuer, subject)

    def have_passwords(self, tenant: str) -> bool:
        """Whether anybody of the tenant may log in with one."""
        found = select(PersonRow.id).where(
            PersonRow.tenant == tenant, PersonRow.password != "", PersonRow.disabled == 0
        )
        with self._database.reading() as session:
            return session.exec(found).first() is not None

    def all(self, tenant: str) -> Sequence[PersonSummary]:
        """By issuer and subject."""
        found = select(PersonRow).where(PersonRow.tenant == tenant)
        with self._database.reading() as session:
            rows = session.exec(found.order_by(col(PersonRow.issuer), col(PersonRow.subject)))
            return [_summary(row) for row in rows]

    def add(self, row: PersonRow) -> bool:
        """False when there is one of that name already."""
        with self._database.quietly() as session:
            if _named(session, row.tenant, row.issuer, row.subject):
                return False
            session.add(row)
            return True

    def rehashed(self, id_: str, known: str, password: str) -> None:
        """The same password, hashed as is done now; unless it was changed meanwhile."""
        with self._database.quietly() as session:
            row = session.get(PersonRow, id_)
            if row and row.password == known:
                row.password = password
                session.add(row)

    def password(self, id_: str, password: str, now: int) -> None:
        """Another password: what was begun with the one before is over."""
        with self._database.writing() as session:
            if row := session.get(PersonRow, id_):
                row.password = password
                session.add(row)
                _end_log_ins(session, row, now)

    def disable(self, id_: str, now: int) -> None:
        """They may not log in, and all that they have of the gateway is over."""
        with self._database.writing() as session:
            if row := session.get(PersonRow, id_):
                row.disabled = row.disabled or now
                session.add(row)
                _end(session, row, now, "disabled")
                if session.get(RevocationRow, name := _name_of(row)) is None:
                    # Also what others vouch for later: a provider's word is not enough.
                    session.add(RevocationRow(name=name, reason=DISABLED, revoked=now))

    def enable(self, id_: str) -> None:
        """They may log in again. What was revoked besides stays revoked."""
        with self._database.writing() as session:
            if row := session.get(PersonRow, id_):
                row.disabled = 0
                session.add(row)
                _no_longer_disabled(session, row)

    def remove(self, id_: str, now: int) -> None:
        """As `disable`, and they are forgotten."""
        with self._database.writing() as session:
            if row := session.get(PersonRow, id_):
                _end(session, row, now, "removed")
                _no_longer_disabled(session, row)
                session.delete(row)


def _named(session: Session, tenant: str, issuer: str, subject: str) -> PersonRow | None:
    return session.exec(
        select(PersonRow).where(
            PersonRow.tenant == tenant, PersonRow.issuer == issuer, PersonRow.subject == subject
        )
    ).first()


def _end(session: Session, row: PersonRow, now: int, reason: str) -> None:
    """Also their API keys: whoever has one is the same person."""
    _end_log_ins(session, row, now)
    session.merge(EndedRow(name=_name_of(row), before=now, reason=reason))


def _name_of(row: PersonRow) -> str:
    return f"subject:{row.issuer}|{row.subject}"


def _no_longer_disabled(session: Session, row: PersonRow) -> None:
    denied = session.get(RevocationRow, _name_of(row))
    if denied and denied.reason == DISABLED:
        session.delete(denied)


def _end_log_ins(session: Session, row: PersonRow, now: int) -> None:
    """And what came of them: codes that are under way, and families of tokens."""
    by = f"person:{row.id}"
    session.execute(delete(BrowserRow).where(col(BrowserRow.by) == by))
    session.execute(delete(CodeRow).where(col(CodeRow.person) == by))
    begun = select(FamilyRow).where(FamilyRow.person == by, FamilyRow.revoked == 0)
    for family in session.exec(begun).all():
        family.revoked = now
        session.add(family)
        session.merge(EndedRow(name=f"family:{family.id}", before=now, reason="log-in ended"))


def _summary(row: PersonRow) -> PersonSummary:
    return PersonSummary(
        issuer=row.issuer,
        subject=row.subject,
        name=row.name,
        roles=row.roles.split(),
        created=row.created,
        disabled=row.disabled,
    )
