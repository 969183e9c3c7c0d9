"""Sealed: texts that only this gateway can read, and that nobody can alter (AES-256-GCM)."""

import base64
import binascii
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE: Final = 12
"""Bytes, random: 16 characters at the beginning of every text."""


class Seal:
    """One key. What is sealed for one purpose cannot be opened for another."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def close(self, purpose: str, content: bytes) -> str:
        """The text, in base64url."""
        nonce = os.urandom(NONCE)
        return _encoded(nonce + self._cipher.encrypt(nonce, content, purpose.encode()))

    def open(self, purpose: str, text: str) -> bytes:
        """What was sealed. Raises ValueError for any text that `close` did not make."""
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (binascii.Error, UnicodeError):
            raise ValueError("it is no base64url") from None
        if _encoded(raw) != text:  # the decoder passes over what it does not know
            raise ValueError("it is written in another way")
        try:
            return self._cipher.decrypt(raw[:NONCE], raw[NONCE:], purpose.encode())
        except (InvalidTag, ValueError):
            raise ValueError("it was not sealed here") from None


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
