"""Browsers: who is logged in with which, for as long as what they logged in with stands."""

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable
from typing import Final

from mcp_gateway.core import ports
from mcp_gateway.core.entry import Entry
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import Current
from mcp_gateway.oauth.ports import Person
from mcp_gateway.store.people import People
from mcp_gateway.store.rows import BrowserRow, PersonRow

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
        people: People,
        current: Current,
        ledger: ports.Ledger,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._people = people
        self._current = current
        self._ledger = ledger
        self._clock = clock

    async def who(self, cookie: str) -> Person | None:
        """What was revoked is over, as for any other credential: key, subject, or up to then."""
        digest, now = _digest(cookie), int(self._clock())
        found = await asyncio.to_thread(self._people.at, digest)
        if found is None:
            return None
        browser, person = found
        if not self._stands(browser, now) or now >= min(browser.ends, browser.used + IDLE):
            return None
        if now - browser.used >= SPARED:
            await asyncio.to_thread(self._people.used, digest, now)
        return _person(person, browser.roles)

    def _stands(self, browser: BrowserRow, now: int) -> bool:
        """Whether the key that was shown is in force still, and the log-in not ended since."""
        keyring = self._current.keyring
        key = keyring.keys.get(bytes.fromhex(browser.by))
        if key is None or (key.expires and key.expires <= now):
            return False
        one = key.principal
        names = {f"key:{key.id}", f"subject:{one.identity}", f"client:{one.client}"}
        return not keyring.is_over(frozenset(names), browser.created)

    async def log_in(self, principal: Principal, method: str, by: bytes) -> str:
        """The cookie of who has just shown a key, recorded before it is good.

        `by` is the digest of the key: without it the log-in is over.
        """
        now, cookie = int(self._clock()), secrets.token_urlsafe(32)
        digest = _digest(cookie)
        body = {
            "issuer": principal.issuer,
            "subject": principal.subject,
            "tenant": principal.tenant,
            "method": method,
            "browser": digest[:8],
        }
        await self._ledger.append(Entry("login", body=body))
        person = await asyncio.to_thread(self._people.met, principal, now)
        row = BrowserRow(
            digest=digest,
            person=person,
            roles=" ".join(sorted(principal.roles)),
            by=by.hex(),
            created=now,
            used=now,
            ends=now + LIFE,
        )
        await asyncio.to_thread(self._people.open, row)
        return cookie

    async def log_out(self, cookie: str) -> None:
        """The cookie opens nothing any more."""
        digest = _digest(cookie)
        await self._ledger.append(Entry("logout", body={"browser": digest[:8]}))
        await asyncio.to_thread(self._people.close, digest)


def _person(row: PersonRow, roles: str) -> Person:
    """With the roles that this log-in brought."""
    return Person(row.id, row.tenant, row.issuer, row.subject, row.name, frozenset(roles.split()))


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()
