"""The tokens of a log-in at the provider: for callers who come with a token of the gateway's."""

import hashlib
import logging
import time
from collections.abc import Callable
from typing import Final

from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.secret import Secret
from mcp_gateway.oauth.documents import DocumentError
from mcp_gateway.oauth.ports import GrantOptions, Leases, Place, SecretLost, Secrets
from mcp_gateway.oauth.upstream.client import configured
from mcp_gateway.oauth.upstream.discovery import Discovery
from mcp_gateway.oauth.upstream.kept import Kept
from mcp_gateway.oauth.upstream.rfc6749 import TokenEndpoint, TokenRefused
from mcp_gateway.oauth.vault import place_of

log = logging.getLogger(__name__)
MARGIN: Final = 30
"""Seconds before its end from which a token is not used any more."""
LEASE: Final = 30.0
"""Seconds for a refresh: longer than a token endpoint is waited for."""
Known = Callable[[], tuple[str, GrantOptions]]
"""The issuer of the provider, and the client that the gateway is there."""


class LogInTokens:
    """Finds them in the vault, and has one process renew them at a time."""

    def __init__(
        self,
        secrets: Secrets,
        leases: Leases,
        discovery: Discovery,
        endpoint: TokenEndpoint,
        known: Known,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._secrets = secrets
        self._leases = leases
        self._discovery = discovery
        self._endpoint = endpoint
        self._known = known
        self._clock = clock

    async def access(self, principal: Principal) -> Secret | None:
        """None for who has to log in there first, or again. Raises UpstreamFailed."""
        issuer, options = self._known()
        if not issuer or principal.issuer != issuer:
            return None
        place = place_of(principal, issuer, "login")
        kept = await self._kept(place, options)
        if kept is not None and self._over(kept):
            kept = await self._renewed(place, options)
        return kept.access if kept is not None else None

    async def _kept(self, place: Place, options: GrantOptions) -> Kept | None:
        """None also for what was given to another client than the gateway is now."""
        try:
            kept = Kept.of(await self._secrets.get(place))
        except KeyError:
            return None
        except SecretLost:
            log.exception("the tokens of a log-in are lost")
            return None
        return kept if kept.client == options.client else None

    def _over(self, kept: Kept) -> bool:
        return bool(kept.expires) and kept.expires - MARGIN <= self._clock()

    async def _renewed(self, place: Place, options: GrantOptions) -> Kept | None:
        """By this process, unless another one was faster: then what that one brought."""
        async with self._leases.held(_lease(place), LEASE):
            kept = await self._kept(place, options)
            if kept is None or not self._over(kept):
                return kept
            if not kept.refresh.reveal():
                return None
            fresh = await self._refreshed(kept, options)
            if fresh is None:
                await self._secrets.drop(place)
            else:
                await self._secrets.put(place, fresh.mapping())
            return fresh

    async def _refreshed(self, kept: Kept, options: GrantOptions) -> Kept | None:
        """None where the provider says that the log-in is over."""
        form = [("grant_type", "refresh_token"), ("refresh_token", kept.refresh.reveal())]
        try:
            server = await self._discovery.server(kept.issuer, kept.issuer, options)
            answer = await self._endpoint.ask(server, configured(options, server), form)
        except TokenRefused as refused:
            if refused.error == "invalid_grant":
                return None
            raise UpstreamFailed(f"{kept.issuer} says {refused.error}", sent=False) from None
        except (DocumentError, ValueError) as error:
            raise UpstreamFailed(f"{kept.issuer}: {error}", sent=False) from None
        return kept.renewed(answer, self._clock())


def _lease(place: Place) -> str:
    whole = f"{place.tenant}\0{place.principal}\0{place.upstream}"
    return f"login:{hashlib.sha256(whole.encode()).hexdigest()}"
