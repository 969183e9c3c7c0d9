"""Log-ins at a provider: from the page to the provider, and back with whom it says it is."""

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Final

from mcp_gateway.config import LoginSection, Settings
from mcp_gateway.core.principal import Principal
from mcp_gateway.limits.bucket import Rate
from mcp_gateway.oauth import oidc
from mcp_gateway.oauth.claims import TokenRefused, mapped, words
from mcp_gateway.oauth.ports import People, Person, Secrets
from mcp_gateway.oauth.vault import place_of
from mcp_gateway.services.authorization.throttle import Throttle
from mcp_gateway.services.relying_party import LoginFailed, RelyingParty
from mcp_gateway.store.logins import LoginRows
from mcp_gateway.store.rows import LoginRow, PersonRow

CALLBACK: Final = "/oauth/login/callback"
WAITS: Final = 600
"""Seconds that a person may take at the provider."""
EACH: Final = Rate.parse("300/minute")
"""Log-ins that one address may begin: behind it there may be a whole house."""


class LogIns:
    """The store has the digests of the state and of the browser that it belongs to.

    So another process, or the same one after a restart, can take a log-in up, and who has a copy
    of the store cannot.
    """

    def __init__(
        self,
        rows: LoginRows,
        people: People,
        vault: Secrets,
        party: RelyingParty,
        settings: Callable[[], Settings],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._rows = rows
        self._people = people
        self._vault = vault
        self._party = party
        self._settings = settings
        self._clock = clock
        self._throttle = Throttle()

    async def begin(self, next_: str, browser: str, peer: str) -> str:
        """Where the browser goes. Raises LoginFailed."""
        if wait := self._throttle.wait(peer, EACH):
            raise LoginFailed(f"too many log-ins were begun from here: wait {wait} s")
        section, state = self._section(), secrets.token_urlsafe(32)
        address = await self._party.asking(section, state, self._callback)
        now = int(self._clock())
        row = LoginRow(
            digest=_digest(state),
            browser=_digest(browser),
            next=next_,
            provider=section.issuer,
            created=now,
            ends=now + WAITS,
        )
        await asyncio.to_thread(self._rows.put, row)
        return address

    async def finish(self, query: Mapping[str, str], browser: str) -> tuple[Person, str]:
        """Who came back to this browser, and the page that they wanted. Raises LoginFailed."""
        section = self._section()
        row = await self._taken(query.get("state", ""))
        if row is None or row.browser != _digest(browser) or row.provider != section.issuer:
            raise LoginFailed("this log-in is over, or was begun in another browser: begin again")
        found, kept = await self._party.answered(section, query, self._callback)
        principal = self._principal(section, found)
        person = await self._came(principal, found.name)
        await self._vault.put(place_of(principal, section.issuer, "login"), kept.mapping())
        return person, row.next

    async def _taken(self, state: str) -> LoginRow | None:
        try:
            return await asyncio.to_thread(self._rows.take, _digest(state), int(self._clock()))
        except KeyError:
            return None

    def _principal(self, section: LoginSection, found: oidc.Identified) -> Principal:
        """Whom the provider's own tokens are of, too: the same, whatever they show."""
        tenant = self._settings().gateway.tenant
        return Principal(section.issuer, found.subject, tenant, roles=_roles(section, found))

    async def _came(self, principal: Principal, name: str) -> Person:
        """The person, with the roles of this log-in. Raises LoginFailed for who may not."""
        row = PersonRow(
            id=secrets.token_hex(16),
            tenant=principal.tenant,
            issuer=principal.issuer,
            subject=principal.subject,
            name=name,
            roles=" ".join(sorted(principal.roles)),
            created=int(self._clock()),
        )
        id_ = await asyncio.to_thread(self._rows.came, row)
        person = await self._people.person(f"person:{id_}")
        if person is None:
            raise LoginFailed("you may not log in here any more: ask the administrator")
        return person

    def _section(self) -> LoginSection:
        section = self._settings().authorization.login
        if section is None:
            raise LoginFailed("nobody logs in here by a provider")
        return section

    @property
    def _callback(self) -> str:
        return self._settings().public + CALLBACK


def _roles(section: LoginSection, found: oidc.Identified) -> frozenset[str]:
    """Raises LoginFailed for roles that cannot be read: they are not none."""
    roles = {group: frozenset(given) for group, given in section.role_map.items()}
    try:
        said = words(found.claims, section.roles_claim)
    except TokenRefused as refused:
        raise LoginFailed(f"{section.name} says roles that cannot be read: {refused}") from None
    return mapped(said, roles) | set(section.default_roles)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
