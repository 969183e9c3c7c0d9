"""Minting: an access token, recorded before anybody has it."""

import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mcp_gateway.config import Settings
from mcp_gateway.core import ports
from mcp_gateway.core.entry import Entry
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import Current
from mcp_gateway.oauth.server.rfc6749 import invalid_grant, spelled
from mcp_gateway.oauth.server.rfc9068 import Token
from mcp_gateway.services.authorization.signing import Signing


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token is minted from.

    `since` is when it was granted, now if it is 0: what ended later ends it. `ends` is when what
    the person logged in with is over, 0 for never, `login` the names by which it can be revoked.
    One that is not `recorded` by itself is counted elsewhere.
    """

    kind: str
    principal: Principal
    resource: str
    family: str = ""
    since: int = 0
    ends: int = 0
    login: frozenset[str] = frozenset()
    recorded: bool = True

    @property
    def names(self) -> frozenset[str]:
        """By which it can be revoked."""
        who = self.principal
        found = {f"subject:{who.identity}", f"sessionless:{who.identity}"}
        found |= {f"client:{who.client}", f"family:{self.family}"}
        return self.login | found


class Minting:
    """Signs tokens under the configuration of the moment.

    `look` puts in force what other processes have revoked.
    """

    def __init__(
        self,
        signing: Signing,
        ledger: ports.Ledger,
        current: Current,
        look: Callable[[], Awaitable[None]],
        settings: Callable[[], Settings],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._signing = signing
        self._ledger = ledger
        self._current = current
        self._look = look
        self._settings = settings
        self._clock = clock

    async def __call__(self, grant: Grant) -> dict[str, Any]:
        """The answer of the token endpoint. Raises OAuthError, Overloaded."""
        settings, now = self._settings(), int(self._clock())
        await self._look()  # after `now`: what another process ends later ends this token too
        self._check(grant, now)
        lasts = int(settings.authorization.access_token)
        lasts = min(lasts, grant.ends - now) if grant.ends else lasts
        token = Token(
            settings.public,
            grant.principal,
            grant.resource,
            secrets.token_hex(16),
            now,
            now + lasts,
            grant.family,
            grant.login,
        )
        key = await self._signing.key()
        if grant.recorded:
            await self._ledger.append(Entry("token.minted", body=_said(grant, token)))
        return {
            "access_token": token.signed(key),
            "token_type": "Bearer",
            "expires_in": lasts,
            "scope": spelled(grant.principal.scopes),
        }

    def _check(self, grant: Grant, now: int) -> None:
        """Raises OAuthError for whom no token is minted any more."""
        if self._current.keyring.is_over(grant.names, grant.since or now):
            raise invalid_grant("it was revoked: log in again")


def _said(grant: Grant, token: Token) -> Mapping[str, Any]:
    who = grant.principal
    return {
        "grant": grant.kind,
        "identity": who.identity,
        "tenant": who.tenant,
        "client": who.client,
        "family": grant.family,
        "scopes": sorted(who.scopes),
        "resource": grant.resource,
        "jti": token.id,
        "expires": token.expires,
    }
