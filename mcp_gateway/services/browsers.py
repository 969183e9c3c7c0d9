"""Browsers: who is logged in with which, for as long as what they logged in with stands."""

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable
from typing import Final

from mcp_gateway.core import ports
from mcp_gateway.core.entry import Entry
from mcp_gateway.core.snapshot import Current
from mcp_gateway.oauth.ports import People, Person
from mcp_gateway.store.browsers import Browsers
from mcp_gateway.store.rows import BrowserRow

IDLE: Final = 8 * 3600
"""Seconds without a page after which a log-in is over."""
LIFE: Final = 24 * 3600
"""Seconds after which it is over in any case."""
SPARED: Final = 60
"""Seconds between two times that the use of a browser is written."""


class LoggedIn:
    """Implements `ports.Browsers`. The store has the digest of each cookie, never the cookie."""

    def __init__(
        self,
        rows: Browsers,
        people: People,
        current: Current,
        ledger: ports.Ledger,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._rows = rows
        self._people = people
        self._current = current
        self._ledger = ledger
        self._clock = clock

    async def who(self, cookie: str) -> Person | None:
        """Whom the log-in stands for at this moment."""
        digest, now = _digest(cookie), int(self._clock())
        row = await asyncio.to_thread(self._rows.at, digest)
        if row is None or now >= min(row.ends, row.used + IDLE):
            return None
        person = await self._people.person(row.by)
        if person is None or self._current.keyring.is_over(person.names, row.created):
            return None
        if now - row.used >= SPARED:
            await asyncio.to_thread(self._rows.used, digest, now)
        return person

    async def log_in(self, person: Person, before: str) -> str:
        """The cookie of who has just logged in, recorded before it is good.

        The cookie that the browser had `before` is good no more.
        """
        now, cookie = int(self._clock()), secrets.token_urlsafe(32)
        digest, principal = _digest(cookie), person.principal
        body = {
            "issuer": principal.issuer,
            "subject": principal.subject,
            "tenant": principal.tenant,
            "browser": digest[:8],
        }
        await self._ledger.append(Entry("login", body=body))
        row = BrowserRow(digest=digest, by=person.by, created=now, used=now, ends=now + LIFE)
        await asyncio.to_thread(self._rows.open, row, _digest(before))
        return cookie

    async def log_out(self, cookie: str) -> None:
        """The cookie opens nothing any more."""
        digest = _digest(cookie)
        await self._ledger.append(Entry("logout", body={"browser": digest[:8]}))
        await asyncio.to_thread(self._rows.close, digest)


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()
