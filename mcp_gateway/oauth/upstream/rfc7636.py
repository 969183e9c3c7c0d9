"""PKCE (RFC 7636), with S256 alone. The verifier is derived from the state, and so kept nowhere."""

import base64
import hashlib
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

METHOD: Final = "S256"


def verifier(secret: bytes, state: str) -> str:
    """The verifier of one request: who knows its state does not know it without the secret."""
    derived = HKDF(SHA256(), 32, salt=None, info=b"upstream pkce\0" + state.encode()).derive(secret)
    return _encoded(derived)


def challenge(code_verifier: str) -> str:
    return _encoded(hashlib.sha256(code_verifier.encode()).digest())


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
