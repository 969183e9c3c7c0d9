"""Requests for authorization: from the endpoint to the person's answer, in the store throughout."""

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import Final

from mcp_gateway.config import Settings
from mcp_gateway.core import ports
from mcp_gateway.core.entry import Entry
from mcp_gateway.limits.bucket import Rate
from mcp_gateway.oauth.ports import Asking, AuthorizationFailed, Person
from mcp_gateway.oauth.server import rfc7636, rfc8252, rfc8707
from mcp_gateway.oauth.server.rfc6749 import (
    OAuthError,
    Parameters,
    invalid_request,
    redirected,
    scopes_of,
    spelled,
)
from mcp_gateway.services.authorization import offer
from mcp_gateway.services.authorization.client import Client, digest_of
from mcp_gateway.services.authorization.clients import Clients
from mcp_gateway.services.authorization.throttle import Throttle
from mcp_gateway.store.authorization import Authorizations
from mcp_gateway.store.rows import AuthorizationRow, CodeRow

LONGEST_STATE: Final = 2_048
WAITS: Final = 600
"""Seconds that a request waits for the person."""
EACH: Final = Rate.parse("60/minute burst 60")
"""Requests that one address may begin."""
OVER: Final = "this log-in is over, was begun in another browser, or was answered already"


class Requests:
    """Implements `ports.Authorizing`. Each is bound to the browser in which it began."""

    def __init__(
        self,
        kept: Authorizations,
        clients: Clients,
        ledger: ports.Ledger,
        settings: Callable[[], Settings],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._kept = kept
        self._clients = clients
        self._ledger = ledger
        self._settings = settings
        self._clock = clock
        self._throttle = Throttle()

    async def begin(self, asked: Parameters, browser: str, peer: str) -> str:
        """Where the browser goes: to the consent page, or back to the client with an error.

        Raises OAuthError while it is not known where an answer may go, and for an error that
        would lead to a site of whoever registered it, before anybody said yes (RFC 9700, 4.11.2).
        """
        if wait := self._throttle.wait(peer, EACH):
            raise OAuthError("temporarily_unavailable", f"too many log-ins: wait {wait} s", 429)
        client = await self._clients.find(asked.need("client_id"), peer)
        private = self._settings().authorization.private_schemes
        try:
            redirect = rfc8252.chosen(asked.get("redirect_uri"), client.redirects, private)
        except ValueError as fault:
            raise invalid_request(f"redirect_uri cannot be used: {fault}") from None
        try:
            return await self._begun(client, redirect, asked, browser)
        except OAuthError as error:
            if not rfc8252.is_loopback(redirect):
                raise  # nobody was asked yet: strangers do not send people on from here
            return redirected(redirect, {**error.body, **self._said(asked.get("state"))})

    async def _begun(self, client: Client, redirect: str, asked: Parameters, browser: str) -> str:
        """The row that waits, and the page that shows it. Raises OAuthError."""
        settings = self._settings()
        _check(asked)
        resource = rfc8707.chosen(asked.resources, offer.endpoints(settings), offer.whole(settings))
        scopes = offer.granted(scopes_of(asked.get("scope")), settings)
        id_, now = secrets.token_urlsafe(32), int(self._clock())
        row = AuthorizationRow(
            digest=_digest(id_),
            browser=_digest(browser),
            client=client.id,
            redirect=redirect,
            scopes=spelled(scopes),
            resource=resource,
            state=asked.get("state"),
            challenge=asked.get("code_challenge"),
            created=now,
            ends=now + WAITS,
        )
        if not await asyncio.to_thread(self._kept.begin, row):
            raise OAuthError("temporarily_unavailable", "too many log-ins are under way", 503)
        return f"{settings.public}/oauth/consent?request={id_}"

    async def asked(self, id: str, browser: str) -> Asking:  # noqa: A002  # what it is
        row, client = await self._waiting(id, browser)
        return Asking(
            client=client.id,
            name=client.name,
            host=client.host,
            redirect_host=rfc8252.host_of(row.redirect),
            scopes=tuple(row.scopes.split()),
            resource=row.resource,
            loopback=rfc8252.is_loopback(row.redirect),
            verified=client.verified,
            form_action=rfc8252.origin_of(row.redirect),
        )

    async def approve(self, id: str, browser: str, person: Person) -> str:  # noqa: A002
        row, client = await self._answered(id, browser)
        settings = self._settings()
        scopes = offer.allowed(frozenset(row.scopes.split()), person, settings)
        await self._record("consent.given", row, person, scopes)
        text = secrets.token_urlsafe(32)
        code = CodeRow(
            digest=_digest(text),
            family=secrets.token_hex(16),
            client=client.id,
            redirect=row.redirect,
            challenge=row.challenge,
            resource=row.resource,
            scopes=spelled(scopes),
            person=person.by,
            ends=int(self._clock() + settings.authorization.code),
        )
        await asyncio.to_thread(self._kept.issue, code)
        return redirected(row.redirect, {"code": text, **self._said(row.state)})

    async def deny(self, id: str, browser: str, person: Person) -> str:  # noqa: A002
        row, _ = await self._answered(id, browser)
        await self._record("consent.denied", row, person, frozenset(row.scopes.split()))
        error = OAuthError("access_denied", "the person said no")
        return redirected(row.redirect, {**error.body, **self._said(row.state)})

    async def _answered(self, id_: str, browser: str) -> tuple[AuthorizationRow, Client]:
        """A request that is answered by this, once. Raises AuthorizationFailed."""
        found = await self._waiting(id_, browser)
        if not await asyncio.to_thread(self._kept.answer, found[0].digest, found[0].browser):
            raise AuthorizationFailed(OVER)
        return found

    async def _waiting(self, id_: str, browser: str) -> tuple[AuthorizationRow, Client]:
        """Raises AuthorizationFailed."""
        row = await asyncio.to_thread(self._kept.waiting, _digest(id_), _digest(browser))
        if row is None:
            raise AuthorizationFailed(OVER)
        try:
            return row, await self._clients.find(row.client, "")
        except OAuthError as error:
            raise AuthorizationFailed(error.description) from None

    async def _record(
        self, kind: str, row: AuthorizationRow, person: Person, scopes: frozenset[str]
    ) -> None:
        body = {
            "identity": person.principal.identity,
            "tenant": person.principal.tenant,
            "client": row.client,
            "redirect_host": rfc8252.host_of(row.redirect),
            "resource": row.resource,
            "scopes": sorted(scopes),
        }
        await self._ledger.append(Entry(kind, body=body))

    def _said(self, state: str) -> dict[str, str]:
        """What every answer has besides: the caller's state, and whose answer it is (RFC 9207)."""
        return {"state": state, "iss": self._settings().public}


def _check(asked: Parameters) -> None:
    """What has to be said before the person is asked. Raises OAuthError."""
    if len(asked.get("state")) > LONGEST_STATE:
        raise invalid_request(f"state has {LONGEST_STATE} characters at most")
    if asked.get("request") or asked.get("request_uri"):
        raise OAuthError("request_not_supported", "a request stands in its own parameters")
    if asked.need("response_type") != "code":
        raise OAuthError("unsupported_response_type", "response_type is code")
    if asked.get("response_mode") not in ("", "query"):
        raise invalid_request("response_mode is query")
    if asked.get("prompt") == "none":
        raise OAuthError("interaction_required", "nobody is let in without a page")
    rfc7636.check_challenge(asked.need("code_challenge"), asked.get("code_challenge_method"))


def _digest(text: str) -> str:
    return digest_of(text).hex()
