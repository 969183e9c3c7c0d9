"""Secrets: kept in the store as the vault sealed them."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from mcp_gateway.oauth.ports import Place
from mcp_gateway.oauth.vault import Sealed, Vault
from mcp_gateway.store.secrets import Envelope, Key, SecretRows
from mcp_gateway.wire import jsonrpc


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

    def _open(self, place: Place) -> bytes:
        kept = self._rows.get(_key(place))
        return self._vault.open(place, kept.version, _sealed(kept.envelope))


def _key(place: Place) -> Key:
    return place.tenant, place.principal, place.upstream, place.kind


def _envelope(sealed: Sealed) -> Envelope:
    return Envelope(sealed.key_id, sealed.wrapped, sealed.nonce, sealed.content)


def _sealed(envelope: Envelope) -> Sealed:
    return Sealed(envelope.key_id, envelope.wrapped, envelope.nonce, envelope.content)
