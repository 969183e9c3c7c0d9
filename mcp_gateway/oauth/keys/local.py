"""A key-encryption key that the gateway holds itself: of a file, or of the environment."""

import hashlib
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SIZE: Final = 32
"""Bytes of a key: AES-256."""
NONCE: Final = 12


class LocalKek:
    """Implements `ports.Kek` with AES-256-GCM. `id` tells keys apart, and nothing of one."""

    def __init__(self, key: bytes) -> None:
        """Raises ValueError for a key of another size."""
        if len(key) != SIZE:
            raise ValueError(f"a key of the vault has {SIZE} bytes")
        self.id = "local:" + hashlib.sha256(b"vault/1 key\0" + key).hexdigest()[:8]
        self._cipher = AESGCM(key)

    def wrap(self, key: bytes, bound: bytes) -> bytes:
        nonce = os.urandom(NONCE)
        return nonce + self._cipher.encrypt(nonce, key, bound)

    def unwrap(self, wrapped: bytes, bound: bytes) -> bytes:
        try:
            return self._cipher.decrypt(wrapped[:NONCE], wrapped[NONCE:], bound)
        except (InvalidTag, ValueError):
            raise ValueError("it was not wrapped by this key, or for another place") from None
