"""Clients that are a URL: their documents, pinned or fetched from strangers, and kept."""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from joserfc.jwk import KeySet

from mcp_gateway.core import ports
from mcp_gateway.core.entry import Entry
from mcp_gateway.limits.bucket import Rate
from mcp_gateway.oauth.documents import DocumentError
from mcp_gateway.oauth.rfc7517 import key_set
from mcp_gateway.oauth.server import cimd
from mcp_gateway.oauth.server.rfc6749 import OAuthError
from mcp_gateway.oauth.server.rfc8252 import host_of
from mcp_gateway.services.authorization.client import Client, of_document
from mcp_gateway.services.authorization.throttle import Throttle
from mcp_gateway.store.clients import CIMD, Clients
from mcp_gateway.store.rows import ClientRow
from mcp_gateway.wire.http import HttpClient, HttpFailed, TooLarge

log = logging.getLogger(__name__)
WITHIN: Final = 5.0
"""Seconds for one document, all in all."""
REFUSED: Final = 60.0
"""Seconds for which a document that could not be had is not asked for again."""
MOST_REFUSED: Final = 1_000
EACH: Final = Rate.parse("30/minute")
"""Fetches that one address may cause."""

Pinned = Mapping[str, bytes]
"""Documents by client id."""


class _Unusable(OAuthError):
    """A document that makes no client; `away` where its publisher says nothing of it now."""

    def __init__(self, why: str, *, away: bool = False) -> None:
        said = f"the client's document cannot be used: {why}"
        if away:
            super().__init__("temporarily_unavailable", said, 503)
        else:
            super().__init__("invalid_client", said)
        self.why = why
        self.away = away


class Documents:
    """`strangers` is a client that reaches public addresses only, whatever upstreams may.

    `private` gives the schemes that redirect addresses may have besides https.
    """

    def __init__(
        self,
        kept: Clients,
        strangers: HttpClient,
        ledger: ports.Ledger,
        private: Callable[[], Collection[str]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._kept = kept
        self._strangers = strangers
        self._ledger = ledger
        self._private = private
        self._clock = clock
        self._pinned: Pinned = {}
        self._fetching = True
        self._throttle = Throttle()
        self._turns: dict[str, asyncio.Lock] = {}
        self._refused: dict[str, tuple[float, str, bool]] = {}

    def swap(self, pinned: Pinned, *, fetching: bool) -> None:
        """Takes the documents of a configuration, by client id; those are never fetched."""
        self._pinned, self._fetching = pinned, fetching
        self._refused = {}

    def pinned(self) -> Sequence[Client]:
        return [self._read(id_, raw) for id_, raw in self._pinned.items()]

    async def client(self, id_: str, peer: str) -> Client:
        """The client that a URL is. Raises OAuthError."""
        cimd.check_id(id_)
        if raw := self._pinned.get(id_):
            return self._read(id_, raw)
        if not self._fetching:
            raise OAuthError("invalid_client", "only clients whose documents are pinned are taken")
        turn = self._turns.setdefault(id_, asyncio.Lock())
        try:
            async with turn:  # one fetch for all who wait
                return await self._found(id_, peer)
        finally:
            if not turn.locked():
                self._turns.pop(id_, None)

    async def _found(self, id_: str, peer: str) -> Client:
        """What is kept while it lasts, else fetched; for a day where it cannot be fetched now."""
        row = await asyncio.to_thread(self._kept.find, id_)
        kept = row if row and row.kind == CIMD else None
        if kept and kept.ends > self._clock():
            return self._read(id_, kept.document)
        try:
            return await self._renewed(id_, peer)
        except _Unusable as refused:
            if refused.away and kept and kept.fetched + cimd.LONGEST > self._clock():
                return self._read(id_, kept.document)
            raise

    async def _renewed(self, id_: str, peer: str) -> Client:
        until, why, away = self._refused.get(id_, (0.0, "", False))
        if until > self._clock():
            raise _Unusable(why, away=away)
        if wait := self._throttle.wait(peer, EACH):
            raise OAuthError("temporarily_unavailable", f"too many new clients: wait {wait} s", 429)
        try:
            return await self._taken(id_)
        except _Unusable as refused:
            if len(self._refused) >= MOST_REFUSED:
                self._refused = {}
            self._refused[id_] = (self._clock() + REFUSED, refused.why, refused.away)
            raise

    async def _taken(self, id_: str) -> Client:
        raw, lasts = await self._fetched(id_)
        try:
            client, now = self._read(id_, raw), int(self._clock())
        except OAuthError as error:
            raise _Unusable(error.description) from None
        hosts = sorted({host_of(redirect) for redirect in client.redirects})
        body = {"client": id_, "way": CIMD, "host": client.host, "redirect_hosts": hosts}
        await self._ledger.append(Entry("client.fetched", body=body))
        row = ClientRow(
            id=id_,
            kind=CIMD,
            name=client.name,
            redirects=json.dumps(client.redirects),
            method=client.method,
            grants=" ".join(sorted(client.grants)),
            host=client.host,
            document=raw,
            fetched=now,
            created=now,
            ends=now + int(lasts),
        )
        await asyncio.to_thread(self._kept.keep, row)
        return client

    async def _fetched(self, id_: str) -> tuple[bytes, float]:
        """The document, and for how long it may be kept. Raises OAuthError."""
        headers = [("accept", "application/json")]
        try:
            async with asyncio.timeout(WITHIN):
                async with self._strangers.stream("GET", id_, headers, timeout=WITHIN) as answer:
                    _check(answer.status, answer.headers.get("content-type", ""))
                    raw = await answer.read(cimd.MOST, WITHIN)
                    return raw, cimd.kept_for(answer.headers)
        except TooLarge:
            raise _Unusable(f"it is larger than {cimd.MOST} bytes") from None
        except (HttpFailed, TimeoutError, ValueError) as error:
            log.warning("the document of a client at %s cannot be had: %s", id_, error)
            raise _Unusable("it cannot be fetched from here", away=True) from None

    def _read(self, id_: str, raw: bytes) -> Client:
        return read(id_, raw, self._private())


def read(id_: str, raw: bytes, private: Collection[str]) -> Client:
    """The client that a document is about. Raises OAuthError."""
    said, keys = cimd.read(id_, raw, private)
    return of_document(id_, said, _keys(keys) if keys else None)


def _check(status: int, content_type: str) -> None:
    """Raises _Unusable for an answer that is no document."""
    if status == 429 or status >= 500:
        raise _Unusable(f"it answers {status}", away=True)
    if status != 200:
        raise _Unusable(f"it answers {status}; redirects are not followed")
    media = content_type.partition(";")[0].strip().lower()
    structured = media.startswith("application/") and media.endswith("+json")
    if media != "application/json" and not structured:
        raise _Unusable("it is not application/json")


def _keys(document: Mapping[str, object]) -> KeySet:
    try:
        return key_set(document)
    except DocumentError:
        raise OAuthError("invalid_client", "its jwks holds no key that can verify") from None
