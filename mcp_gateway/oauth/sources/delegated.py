"""`delegated`: what a person consented to at an upstream, renewed by one process at a time."""

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final, NoReturn, Protocol

from mcp_gateway.core.credential import Credential
from mcp_gateway.core.errors import ConsentRequired, UpstreamFailed
from mcp_gateway.core.grants import Granted
from mcp_gateway.oauth.documents import DocumentError
from mcp_gateway.oauth.ports import (
    Consents,
    GrantOptions,
    Leases,
    Obtained,
    SecretLost,
    Secrets,
    Wanted,
)
from mcp_gateway.oauth.upstream import challenge as challenges
from mcp_gateway.oauth.upstream import scopes
from mcp_gateway.oauth.upstream.challenge import NO_CHALLENGE, Challenge
from mcp_gateway.oauth.upstream.client import Client
from mcp_gateway.oauth.upstream.discovery import Discovery
from mcp_gateway.oauth.upstream.kept import Kept, place
from mcp_gateway.oauth.upstream.rfc6749 import TokenEndpoint, TokenRefused
from mcp_gateway.oauth.upstream.rfc8414 import AuthorizationServer

log = logging.getLogger(__name__)
MARGIN: Final = 30
"""Seconds before its end from which a token is not shown any more."""
LOOKED: Final = 300.0
"""Seconds after which a token is read again that does not say when it ends."""
LEASE: Final = 30.0
"""Seconds for a refresh: longer than a token endpoint is waited for."""
OVER: Final = frozenset({"invalid_grant"})
"""Errors that say that the consent is over; after all others it is asked again."""
NOT_KNOWN: Final = frozenset({"invalid_client", "unauthorized_client"})


class Clients(Protocol):
    """The gateway as a client of upstreams' servers."""

    async def known(
        self, upstream: str, options: GrantOptions, server: AuthorizationServer, name: str
    ) -> Client:
        """The one with this id at the server. Raises KeyError when it is gone."""
        ...


class Delegated:
    """Implements `ports.Source`."""

    def __init__(  # the ports that it stands on
        self,
        secrets: Secrets,
        leases: Leases,
        consents: Consents,
        clients: Clients,
        discovery: Discovery,
        endpoint: TokenEndpoint,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._secrets = secrets
        self._leases = leases
        self._consents = consents
        self._clients = clients
        self._discovery = discovery
        self._endpoint = endpoint
        self._clock = clock
        self._given: dict[str, bytes] = {}
        """The digest of the token that was given out last, by the id of its grant."""

    async def obtain(self, wanted: Wanted) -> Obtained:
        granted = wanted.granted
        if granted is None:
            await self._ask(wanted, frozenset(), "is not connected to you yet")
        if granted.state == "broken":
            await self._ask(wanted, granted.scopes, "has to be connected again")
        wanted = await self._stepped(wanted, granted)
        kept = await self._read(wanted, granted)
        if not self._good(wanted, granted, kept):
            kept = await self._renewed(wanted, granted)
        return self._obtained(wanted, granted, kept)

    async def _stepped(self, wanted: Wanted, granted: Granted) -> Wanted:
        """With what is missing, if it was consented to.

        A token that has all of that is not renewed into one that may do more: the person is asked.
        """
        if wanted.refused is None or wanted.refused.status != 403:
            return wanted
        challenge = _challenge(wanted)
        if challenge.error != "insufficient_scope":
            raise UpstreamFailed(f"{wanted.server} refuses the person's credential")
        if _narrowed(wanted) and challenge.scopes <= granted.scopes - wanted.scopes:
            return replace(wanted, scopes=wanted.scopes | challenge.scopes)
        more = granted.scopes | challenge.scopes
        return await self._ask(wanted, more, "needs more of you than it was allowed")

    async def _read(self, wanted: Wanted, granted: Granted) -> Kept:
        try:
            return Kept.of(await self._secrets.get(place(wanted.principal, wanted.server)))
        except (KeyError, SecretLost):
            log.exception("the tokens of the grant %s are lost", granted.id)
            await self._broken(wanted, granted, "its tokens are lost")

    def _good(self, wanted: Wanted, granted: Granted, kept: Kept) -> bool:
        """Whether it may be shown: it is for this, has not ended, and is not what was refused."""
        if kept.narrowed != _narrowed(wanted):
            return False
        if kept.expires and kept.expires - MARGIN <= self._clock():
            return False
        return wanted.refused is None or self._given.get(granted.id, b"") != _digest(kept)

    async def _renewed(self, wanted: Wanted, granted: Granted) -> Kept:
        """By this process, unless another one was faster: then what that one brought."""
        async with self._leases.held(f"grant:{granted.id}", LEASE):
            kept = await self._read(wanted, granted)
            if self._good(wanted, granted, kept):
                return kept
            if not kept.refresh.reveal():
                await self._broken(wanted, granted, "its token is over, and cannot be renewed")
            fresh = await self._refreshed(wanted, granted, kept)
            await self._secrets.put(place(wanted.principal, wanted.server), fresh.mapping())
        await self._consents.refreshed(wanted.principal, wanted.server)
        return fresh

    async def _refreshed(self, wanted: Wanted, granted: Granted, kept: Kept) -> Kept:
        form = [("grant_type", "refresh_token"), ("refresh_token", kept.refresh.reveal())]
        if kept.resource:
            form.append(("resource", kept.resource))
        narrowed, options = _narrowed(wanted), wanted.options
        if narrowed:
            form.append(("scope", scopes.text(narrowed)))
        try:
            server = await self._discovery.server(kept.issuer, wanted.url, options)
            client = await self._clients.known(wanted.server, options, server, kept.client)
            answer = await self._endpoint.ask(server, client, form)
        except KeyError:
            await self._broken(wanted, granted, "the gateway is another client of its server now")
        except (DocumentError, ValueError) as error:
            raise UpstreamFailed(f"{wanted.server}: {error}") from None
        except TokenRefused as refused:
            if refused.error in OVER | NOT_KNOWN:
                await self._broken(wanted, granted, f"its server says {refused.error}")
            raise UpstreamFailed(
                f"the authorization server of {wanted.server} says {refused.error}"
            ) from None
        return kept.renewed(answer, self._clock(), narrowed)

    def _obtained(self, wanted: Wanted, granted: Granted, kept: Kept) -> Obtained:
        self._given[granted.id] = _digest(kept)
        grant = wanted.grant
        value = grant.prefix + kept.access.reveal()
        credential = Credential(
            f"delegated:{wanted.server}:{granted.id}",
            ((grant.header, value),),
            kept.scopes,
            "token" if grant.downscope else "policy",
        )
        until = kept.expires - MARGIN if kept.expires else self._clock() + LOOKED
        return Obtained(credential, until, granted.version)

    async def _broken(self, wanted: Wanted, granted: Granted, reason: str) -> NoReturn:
        await self._consents.broken(wanted.principal, wanted.server, reason)
        await self._ask(wanted, granted.scopes, "has to be connected again")

    async def _ask(self, wanted: Wanted, more: frozenset[str], why: str) -> NoReturn:
        needed = wanted.grant.scopes | wanted.scopes | more
        url = await self._consents.link(wanted.principal, wanted.server, needed, wanted.call)
        raise ConsentRequired(wanted.server, url, why)


def _challenge(wanted: Wanted) -> Challenge:
    """NO_CHALLENGE for one that can be understood in two ways."""
    try:
        return challenges.read(wanted.refused.challenge) if wanted.refused else NO_CHALLENGE
    except ValueError:
        return NO_CHALLENGE


def _narrowed(wanted: Wanted) -> frozenset[str]:
    """The scopes that the token is to have at most; none where it has all that was consented to."""
    return wanted.scopes if wanted.grant.downscope else frozenset()


def _digest(kept: Kept) -> bytes:
    return hashlib.sha256(kept.access.reveal().encode()).digest()
