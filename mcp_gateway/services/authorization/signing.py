"""The keys that sign tokens: published before they sign, and kept until nothing needs them."""

import asyncio
import itertools
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from joserfc.jwk import ECKey, KeySet

from mcp_gateway.core import ports
from mcp_gateway.core.entry import Entry
from mcp_gateway.oauth.ports import Leases, Place, SecretLost, Secrets
from mcp_gateway.oauth.rfc9068 import LEEWAY
from mcp_gateway.oauth.server import rfc9068
from mcp_gateway.store.rows import SigningKeyRow
from mcp_gateway.store.signing import SigningKeys

log = logging.getLogger(__name__)
SIGNS: Final = 30 * 86_400
"""Seconds for which one key signs."""
AHEAD: Final = 86_400
"""Seconds for which a key is published before it signs."""
KEPT: Final = rfc9068.LONGEST + 2 * LEEWAY
"""Seconds for which it is published after: until the last token that it signed has expired."""
EVERY: Final = 1.0
"""Seconds between looks: a key that another process made is known so soon."""

Heard = Callable[[KeySet], None]


class Signing:
    """All processes on a store sign with the same key. The private half is sealed in the vault."""

    def __init__(
        self,
        kept: SigningKeys,
        secrets: Secrets,
        leases: Leases,
        ledger: ports.Ledger,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._kept = kept
        self._secrets = secrets
        self._leases = leases
        self._ledger = ledger
        self._clock = clock
        self._published: tuple[Mapping[str, Any], ...] = ()
        self._public = KeySet([])
        self._private: dict[str, ECKey] = {}
        self._heard: list[Heard] = []

    def tell(self, heard: Heard) -> None:
        """Calls back with the public keys, now if there are any and whenever they change."""
        self._heard.append(heard)
        if self._published:
            heard(self._public)

    def public(self) -> KeySet:
        """What verifies, as it is published."""
        return self._public

    async def published(self) -> Mapping[str, Any]:
        """The same, as a document: with the first key, made where there is none yet.

        Raises Overloaded.
        """
        if not self._published:
            await self.look_again()
        return {"keys": list(self._published)}

    async def key(self) -> ECKey:
        """The key that signs now: made, where there is none. Raises Overloaded, SecretLost."""
        signs = _signing(await self._look(), self._clock())
        if signs is None:
            signs = _signing(await self._make(), self._clock())
        try:
            return await self._opened(signs)
        except (KeyError, SecretLost):
            log.exception("the key that signs tokens is lost, and is replaced")
            return await self._opened(await self._instead_of(signs))

    async def follow(self) -> None:
        """Until cancelled: makes the first key and each next one, and tells of all."""
        while True:
            await self.look_again()
            await asyncio.sleep(EVERY)

    async def look_again(self) -> None:
        rows, now = await self._look(), self._clock()
        if not rows or rows[-1].begins + SIGNS - AHEAD <= now:
            rows = await self._make()
        for before, after in itertools.pairwise(rows):
            if after.begins + KEPT < now:
                await asyncio.to_thread(self._kept.drop, before.kid)
                await self._secrets.drop(_place(before.kid))

    async def _look(self) -> Sequence[SigningKeyRow]:
        rows = await asyncio.to_thread(self._kept.all)
        published = tuple(json.loads(row.public) for row in rows)
        if published != self._published:
            self._published = published
            self._public = KeySet([ECKey.import_key(dict(key)) for key in published])
            self._private = {k: v for k, v in self._private.items() if k in {r.kid for r in rows}}
            for heard in self._heard:
                heard(self._public)
        return rows

    async def _make(self) -> Sequence[SigningKeyRow]:
        """One more key, made by one process: the first signs at once, others are announced."""
        async with self._leases.held("signing", 30.0):
            rows, now = await self._look(), int(self._clock())
            if rows and rows[-1].begins + SIGNS - AHEAD > now:
                return rows
            begins = max(rows[-1].begins + SIGNS, now + AHEAD) if rows else now
            await self._add(begins)
        return await self._look()

    async def _add(self, begins: int) -> None:
        key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, private=True)
        key.ensure_kid()
        kid = str(key.kid)
        await self._ledger.append(Entry("signing.rotated", body={"key": kid, "begins": begins}))
        await self._secrets.put(_place(kid), key.as_dict(private=True))
        public = json.dumps(key.as_dict(private=False))
        row = SigningKeyRow(kid=kid, public=public, created=int(self._clock()), begins=begins)
        await asyncio.to_thread(self._kept.add, row)

    async def _instead_of(self, lost: SigningKeyRow | None) -> SigningKeyRow | None:
        """A key that signs from now on. Tokens of the lost one are good until they end."""
        async with self._leases.held("signing", 30.0):
            now = int(self._clock())
            if _signing(await self._look(), now) == lost:
                await self._add(now)
        return _signing(await self._look(), self._clock())

    async def _opened(self, row: SigningKeyRow | None) -> ECKey:
        """The private half. Raises KeyError, SecretLost."""
        if row is None:
            raise KeyError("no key signs")
        if known := self._private.get(row.kid):
            return known
        found = await self._secrets.get(_place(row.kid))
        key = self._private[row.kid] = ECKey.import_key(dict(found))
        return key


def _signing(rows: Sequence[SigningKeyRow], now: float) -> SigningKeyRow | None:
    """Of those that have begun the last."""
    begun = [row for row in rows if row.begins <= now]
    return begun[-1] if begun else None


def _place(kid: str) -> Place:
    return Place("", kid, "", "signing")
