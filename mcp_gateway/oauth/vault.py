"""The vault: each secret under a key of its own, and that one under the installation's."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mcp_gateway.core.principal import Principal
from mcp_gateway.oauth.ports import Kek, Place, PlaceKind, SecretLost

NONCE: Final = 12
BITS: Final = 256


@dataclass(frozen=True, slots=True)
class Sealed:
    """What may lie anywhere: it opens only with its key, at its place, in its version."""

    key_id: str
    wrapped: bytes
    nonce: bytes
    content: bytes


def place_of(principal: Principal, upstream: str, kind: PlaceKind) -> Place:
    """Where a person's secret for an upstream is, whichever client and roles they come with.

    Both halves are quoted: nobody can choose a subject that reads like another issuer's.
    """
    whose = f"{_quoted(principal.issuer)}|{_quoted(principal.subject)}"
    return Place(principal.tenant, whose, upstream, kind)


def bound(place: Place, version: int) -> bytes:
    """What a secret is bound to. No two places and versions come to the same bytes."""
    parts = (place.tenant, place.principal, place.upstream, place.kind, str(version))
    return b"vault/1\0" + "\0".join(map(_quoted, parts)).encode()


class Vault:
    """Seals with the first of its keys, and opens with any. Every method may block."""

    def __init__(self, keys: Sequence[Kek]) -> None:
        self._keys = {key.id: key for key in reversed(keys)}
        self._first = keys[0]

    @property
    def sealing(self) -> str:
        """The id of the key that seals."""
        return self._first.id

    def seal(self, place: Place, version: int, content: bytes) -> Sealed:
        to, nonce = bound(place, version), os.urandom(NONCE)
        key = AESGCM.generate_key(BITS)
        sealed = AESGCM(key).encrypt(nonce, content, to)
        return Sealed(self.sealing, self._first.wrap(key, to), nonce, sealed)

    def open(self, place: Place, version: int, sealed: Sealed) -> bytes:
        """Raises SecretLost."""
        to = bound(place, version)
        try:
            return AESGCM(self._key(sealed, to)).decrypt(sealed.nonce, sealed.content, to)
        except (InvalidTag, ValueError):
            raise _lost(place) from None

    def rewrap(self, place: Place, version: int, sealed: Sealed) -> Sealed:
        """The same secret under the key that seals now. Raises SecretLost."""
        to = bound(place, version)
        try:
            wrapped = self._first.wrap(self._key(sealed, to), to)
        except ValueError:
            raise _lost(place) from None
        return Sealed(self.sealing, wrapped, sealed.nonce, sealed.content)

    def _key(self, sealed: Sealed, to: bytes) -> bytes:
        """Raises ValueError."""
        key = self._keys.get(sealed.key_id)
        if key is None:
            raise ValueError("no such key")
        return key.unwrap(sealed.wrapped, to)


def _lost(place: Place) -> SecretLost:
    return SecretLost(f"the {place.kind} secret for {place.upstream} does not open")


def _quoted(text: str) -> str:
    return quote(text, safe="")
