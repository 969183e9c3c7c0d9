"""Secrets: kept in the store as the vault sealed them."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from mcp_gateway.oauth.ports import Place, PlaceKind, SecretLost
from mcp_gateway.oauth.vault import Sealed, Vault
from mcp_gateway.store.secrets import START, Envelope, Kept, Key, SecretRows
from mcp_gateway.wire import jsonrpc

log = logging.getLogger(__name__)
BATCH: Final = 100
"""Secrets that are wrapped anew at a time: between two batches others can write."""


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """What came of wrapping anew: `key` has them now, and nobody can open those that are `lost`."""

    key: str
    count: int
    lost: int


class SealedSecrets:
    """Implements `ports.Secrets`. The event loop never waits for the store, nor for a key."""

    def __init__(
        self, vault: Vault, rows: SecretRows, clock: Callable[[], float] = time.time
    ) -> None:
        self._vault = vault
        self._rows = rows
        self._clock = clock

    async def put(self, place: Place, value: Mapping[str, Any]) -> int:
        content = jsonrpc.encode(value)

        def seal(version: int) -> Envelope:
            return _envelope(self._vault.seal(place, version, content))

        return await asyncio.to_thread(self._rows.put, _key(place), seal, int(self._clock()))

    async def get(self, place: Place) -> Mapping[str, Any]:
        content = await asyncio.to_thread(self._open, place)
        found: Mapping[str, Any] = jsonrpc.decode(content)
        return found

    async def drop(self, place: Place) -> None:
        await asyncio.to_thread(self._rows.drop, _key(place))

    async def rewrap(self) -> Rewrapped:
        """Wraps everything anew that another key wrapped than the one that seals now.

        Secrets are read and written meanwhile. What is cut off goes on with the next one.
        """
        done, lost, after = 0, 0, START
        while batch := await asyncio.to_thread(
            self._rows.under_others, self._vault.sealing, after, BATCH
        ):
            after = batch[-1].key
            good = await asyncio.to_thread(self._wrapped, batch)
            lost += len(batch) - len(good)
            done += await asyncio.to_thread(self._rows.rewrap, good)
        return Rewrapped(self._vault.sealing, done, lost)

    async def counts(self) -> Mapping[str, int]:
        """How many each key wraps; the one that seals stands first, of none too."""
        return {self._vault.sealing: 0} | await asyncio.to_thread(self._rows.counts)

    def _wrapped(self, batch: Sequence[Kept]) -> list[tuple[Kept, Envelope]]:
        """Without what does not open, which the log says."""
        found: list[tuple[Kept, Envelope]] = []
        for kept in batch:
            place = Place(*kept.key[:3], kind=cast("PlaceKind", kept.key[3]))
            try:
                made = self._vault.rewrap(place, kept.version, _sealed(kept.envelope))
            except SecretLost as error:
                log.warning("%s: it stays as it is", error)
            else:
                found.append((kept, _envelope(made)))
        return found

    def _open(self, place: Place) -> bytes:
        kept = self._rows.get(_key(place))
        return self._vault.open(place, kept.version, _sealed(kept.envelope))


def _key(place: Place) -> Key:
    return place.tenant, place.principal, place.upstream, place.kind


def _envelope(sealed: Sealed) -> Envelope:
    return Envelope(sealed.key_id, sealed.wrapped, sealed.nonce, sealed.content)


def _sealed(envelope: Envelope) -> Sealed:
    return Sealed(envelope.key_id, envelope.wrapped, envelope.nonce, envelope.content)
