"""Families of tokens: what came of one authorization, renewed and ended together."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import delete, select
from sqlmodel import Session, col

from mcp_gateway.store.authorization import TWICE
from mcp_gateway.store.database import Database
from mcp_gateway.store.rows import CodeRow, FamilyRow, RefreshRow

Turn = Literal["turned", "unknown", "over", "reused"]


@dataclass(frozen=True, slots=True)
class Turned:
    """What became of a refresh token that was shown. `family` is None for one nobody knows."""

    turn: Turn
    family: FamilyRow | None = None


class Families:
    """Refresh tokens are known by their SHA-256 only."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def begin(self, code: str, family: FamilyRow, refresh: RefreshRow | None) -> bool:
        """What comes of a code. False when the code came a second time meanwhile."""
        with self._database.quietly() as session:
            row = session.get(CodeRow, code)
            if row is None or row.used == TWICE:
                return False
            session.add(family)
            if refresh:
                session.add(refresh)
            return True

    def find(self, id_: str) -> FamilyRow | None:
        with self._database.reading() as session:
            return session.get(FamilyRow, id_)

    def of_refresh(self, digest: str) -> tuple[FamilyRow, RefreshRow] | None:
        """A refresh token and its family, whatever became of them."""
        with self._database.reading() as session:
            return _of(session, digest)

    def turn(self, digest: str, client: str, next_digest: str, idle: int, grace: float) -> Turned:
        """Uses a refresh token of a client: the next one takes its place.

        It may come again within `grace` seconds of its first use, since clients refresh in
        parallel. Later it is one that two have, and the caller ends its family. `idle` seconds is
        how long the next one waits to be used.
        """
        with self._database.quietly() as session:
            found = _of(session, digest)
            if found is None or found[0].client != client:
                return Turned("unknown")
            family, refresh = found
            now = self._clock()
            if family.revoked or family.ends <= now or refresh.ends <= now:
                return Turned("over", family)
            if refresh.used and now - refresh.used >= grace:
                return Turned("reused", family)
            refresh.used = refresh.used or now
            session.add(refresh)
            made = int(now)
            ends = min(made + idle, family.ends)
            session.add(RefreshRow(digest=next_digest, family=family.id, created=made, ends=ends))
            return Turned("turned", family)

    def forget(self, kept: int) -> None:
        """Rows that have been over for `kept` seconds, with all that renewed them."""
        over = int(self._clock()) - kept
        revoked = (col(FamilyRow.revoked) > 0) & (col(FamilyRow.revoked) < over)
        gone = (col(FamilyRow.ends) < over) | revoked
        with self._database.quietly() as session:
            families = select(col(FamilyRow.id)).where(gone)
            session.exec(delete(RefreshRow).where(col(RefreshRow.family).in_(families)))
            session.exec(delete(RefreshRow).where(col(RefreshRow.ends) < over))
            session.exec(delete(FamilyRow).where(gone))


def _of(session: Session, digest: str) -> tuple[FamilyRow, RefreshRow] | None:
    refresh = session.get(RefreshRow, digest)
    family = session.get(FamilyRow, refresh.family) if refresh else None
    return (family, refresh) if family and refresh else None
