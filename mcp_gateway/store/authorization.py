"""Requests for authorization, and the codes that come of them: each is used once."""

import time
from collections.abc import Callable
from typing import Final

from sqlalchemy import delete, func
from sqlmodel import col, select

from mcp_gateway.store.database import Database
from mcp_gateway.store.rows import AuthorizationRow, CodeRow

MOST: Final = 10_000
"""Requests that wait at the same time."""
TWICE: Final = -1
"""How a code is marked that came more than once: nothing may come of it any more."""


class Authorizations:
    """What waits between the authorization endpoint, the person and the token endpoint."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def begin(self, row: AuthorizationRow) -> bool:
        """False when as many wait as may: strangers cannot fill the store."""
        with self._database.quietly() as session:
            over = col(AuthorizationRow.ends) <= int(self._clock())
            session.execute(delete(AuthorizationRow).where(over))
            waiting = session.exec(select(func.count()).select_from(AuthorizationRow)).one()
            if waiting >= MOST:
                return False
            session.add(row)
            return True

    def waiting(self, digest: str, browser: str) -> AuthorizationRow | None:
        """A request of this browser that is neither answered nor over."""
        with self._database.reading() as session:
            row = session.get(AuthorizationRow, digest)
            return row if row and self._waits(row, browser) else None

    def answer(self, digest: str, browser: str) -> bool:
        """Ends a request. False when somebody else was as fast."""
        with self._database.quietly() as session:
            row = session.get(AuthorizationRow, digest)
            if row is None or not self._waits(row, browser):
                return False
            row.done = int(self._clock())
            session.add(row)
            return True

    def issue(self, code: CodeRow) -> None:
        with self._database.quietly() as session:
            session.add(code)

    def redeem(self, digest: str) -> tuple[CodeRow, bool] | None:
        """A code, and whether it is shown for the first time: from now on it is used."""
        with self._database.reading() as session:  # what is unknown keeps nobody waiting
            if session.get(CodeRow, digest) is None:
                return None
        with self._database.quietly() as session:
            row = session.get(CodeRow, digest)
            if row is None:
                return None
            first = row.used == 0
            row.used = int(self._clock()) if first else TWICE
            session.add(row)
            return row, first

    def forget(self, kept: int) -> None:
        """Codes that have been over for `kept` seconds: until then a second use is noticed."""
        over = int(self._clock()) - kept
        with self._database.quietly() as session:
            session.exec(delete(CodeRow).where(col(CodeRow.ends) < over))

    def _waits(self, row: AuthorizationRow, browser: str) -> bool:
        return row.browser == browser and row.done == 0 and row.ends > self._clock()
