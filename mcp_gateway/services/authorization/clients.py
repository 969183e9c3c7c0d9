"""Clients: who they are, how they show it, and how strangers become one."""

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from mcp_gateway.core import ports
from mcp_gateway.core.entry import Entry
from mcp_gateway.core.snapshot import Current
from mcp_gateway.limits.bucket import Rate
from mcp_gateway.oauth.server import cimd, rfc7523, rfc7591
from mcp_gateway.oauth.server.rfc6749 import (
    OAuthError,
    Parameters,
    basic,
    invalid_client,
    invalid_request,
    spelled,
)
from mcp_gateway.oauth.server.rfc8252 import host_of
from mcp_gateway.oauth.server.rfc8414 import SIGNING
from mcp_gateway.services.authorization.client import Client, digest_of, of_row
from mcp_gateway.services.authorization.documents import Documents
from mcp_gateway.services.authorization.throttle import Throttle
from mcp_gateway.store import clients as store
from mcp_gateway.store.revocations import Revocations
from mcp_gateway.store.rows import ClientRow

MOST: Final = 1_000
"""Clients that registered themselves, of all together."""
UNUSED: Final = 86_400
IDLE: Final = 90 * 86_400
"""Seconds after which a client is forgotten that never got a token, and that got none since."""
HURRY: Final = 3_600
"""The same for one that never got a token, where others wait to register."""
EVERY: Final = 3_600.0
"""Seconds between two looks at who is forgotten."""
SECRETS: Final = frozenset({"client_secret_basic", "client_secret_post"})
_TYPES: Final = frozenset({"", "jwt", "client-authentication+jwt"})


class Clients:
    """`issuer` is the public URL: what a client's own assertion is addressed to."""

    def __init__(
        self,
        kept: store.Clients,
        documents: Documents,
        once: Revocations,
        ledger: ports.Ledger,
        current: Current,
        issuer: Callable[[], str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._kept = kept
        self._documents = documents
        self._once = once
        self._ledger = ledger
        self._current = current
        self._issuer = issuer
        self._clock = clock
        self._throttle = Throttle()
        self._registering = asyncio.Lock()
        self._configured: Mapping[str, Client] = {}

    def swap(self, configured: Mapping[str, Client]) -> None:
        """Takes the programs that a configuration names."""
        self._configured = configured

    def named(self) -> Sequence[Client]:
        """Those that no store has: of the configuration, and of pinned documents."""
        return [*self._configured.values(), *self._documents.pinned()]

    async def find(self, id_: str, peer: str) -> Client:
        """Raises OAuthError for a client that nobody knows, or that was revoked."""
        if f"client:{id_}" in self._current.keyring.revoked:
            raise invalid_client("the client was revoked")
        if known := self._configured.get(id_):
            return known
        if cimd.is_document(id_):
            return await self._documents.client(id_, peer)
        row = await asyncio.to_thread(self._kept.find, id_)
        if row is None or row.kind != store.DCR:
            raise invalid_client("no client is known by that id: register again")
        return of_row(row)

    async def authenticated(
        self, form: Parameters, authorization: bytes | None, peer: str
    ) -> Client:
        """The client that a request comes from, by the one method that is its own.

        One without a secret only says who it is. Raises OAuthError.
        """
        assertion, secret = form.get("client_assertion"), form.get("client_secret")
        if sum(map(bool, (authorization, assertion, secret))) > 1:
            raise invalid_request("a client shows what it has in one way")
        if authorization:
            return await self._by_secret(form, *basic(authorization), peer, "client_secret_basic")
        if assertion:
            return await self._by_assertion(form, assertion, peer)
        if secret:
            id_ = form.need("client_id")
            return await self._by_secret(form, id_, secret, peer, "client_secret_post")
        client = await self.find(form.need("client_id"), peer)
        if client.method != "none":
            raise invalid_client("the client has to show what it registered with")
        return client

    async def _by_secret(
        self, form: Parameters, id_: str, secret: str, peer: str, method: str
    ) -> Client:
        if form.get("client_id") not in ("", id_):
            raise invalid_request("the client says two names")
        client = await self.find(id_, peer)
        allowed = SECRETS if client.kind == "registered" else {client.method}
        if client.method not in SECRETS or method not in allowed or not client.shows(secret):
            raise invalid_client("that is not the client's secret, or not how it shows it")
        return client

    async def _by_assertion(self, form: Parameters, assertion: str, peer: str) -> Client:
        """RFC 7523, section 2.2: signed by the client, for this server, and shown once."""
        if form.get("client_assertion_type") != rfc7523.TYPE:
            raise invalid_request("client_assertion_type is not that of a JWT")
        try:
            id_ = rfc7523.unverified(assertion, "sub")
            if form.get("client_id") not in ("", id_):
                raise invalid_request("the client says two names")
            client = await self.find(id_, peer)
            if client.method != "private_key_jwt" or client.keys is None:
                raise invalid_client("the client has no key that signs for it")
            issuer = self._issuer()
            terms = rfc7523.Terms(id_, {issuer, f"{issuer}/oauth/token"}, SIGNING, _TYPES)
            held = rfc7523.verified(assertion, client.keys, terms, self._clock())
        except rfc7523.AssertionRefused as refused:
            raise invalid_client(str(refused)) from None
        if not await asyncio.to_thread(self._once.once, f"jti:{id_}|{held.id}", held.expires):
            raise invalid_client("the assertion was shown before")
        return client

    async def register(
        self, said: object, peer: str, rate: Rate, private: list[str]
    ) -> Mapping[str, Any]:
        """RFC 7591: a stranger becomes a client. Raises OAuthError."""
        if wait := self._throttle.wait(peer, rate):
            raise OAuthError("temporarily_unavailable", f"too many: wait {wait} s", 429)
        asked = rfc7591.registered(said, private)
        secret = "" if asked.method == "none" else secrets.token_urlsafe(32)
        row = _row(asked, secret, int(self._clock()))
        async with self._registering:
            await self._make_room()
            await self._ledger.append(Entry("client.registered", body=_entry(row)))
            await asyncio.to_thread(self._kept.add, row)
        return _answer(row, asked) | (
            {"client_secret": secret, "client_secret_expires_at": 0} if secret else {}
        )

    async def _make_room(self) -> None:
        """Raises OAuthError when there is none: strangers cannot fill the store."""
        if not await asyncio.to_thread(self._kept.full, MOST):
            return
        await self._forgotten(HURRY)
        if await asyncio.to_thread(self._kept.full, MOST):
            raise OAuthError("temporarily_unavailable", "too many clients are registered", 503)

    async def collect(self) -> None:
        """Forgets clients that came by themselves and are not used, for as long as it runs."""
        while True:
            await self._forgotten(UNUSED)
            await asyncio.sleep(EVERY)

    async def _forgotten(self, unused: int) -> None:
        gone = await asyncio.to_thread(self._kept.idle, unused, IDLE)
        for row in gone:
            if row.kind == store.DCR:  # a document is a copy: its client is where it was
                await self._ledger.append(Entry("client.collected", body=_entry(row)))
        await asyncio.to_thread(self._kept.forget, [row.id for row in gone], unused, IDLE)


def _row(asked: rfc7591.Registered, secret: str, now: int) -> ClientRow:
    return ClientRow(
        id=secrets.token_urlsafe(16),
        kind=store.DCR,
        name=asked.name,
        redirects=json.dumps(asked.redirects),
        secret=digest_of(secret).hex() if secret else "",
        method=asked.method,
        grants=" ".join(sorted(asked.grants)),
        scopes=spelled(asked.scopes),
        created=now,
    )


def _entry(row: ClientRow) -> Mapping[str, Any]:
    hosts = sorted({host_of(redirect) for redirect in json.loads(row.redirects)})
    return {"client": row.id, "way": row.kind, "host": row.host, "redirect_hosts": hosts}


def _answer(row: ClientRow, asked: rfc7591.Registered) -> dict[str, Any]:
    """What was registered, which may be less than was asked for (section 3.2.1)."""
    found: dict[str, Any] = {
        "client_id": row.id,
        "client_id_issued_at": row.created,
        "client_name": row.name,
        "redirect_uris": list(asked.redirects),
        "token_endpoint_auth_method": row.method,
        "grant_types": sorted(asked.grants),
        "response_types": ["code"],
    }
    return found | ({"scope": row.scopes} if row.scopes else {})
