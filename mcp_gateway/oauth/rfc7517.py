"""The issuer's keys (RFC 7517): fetched off the path, again every few minutes and when missed."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key, KeySet
from joserfc.util import base64_to_int

from mcp_gateway.oauth.documents import DocumentError, Documents
from mcp_gateway.oauth.rfc8414 import jwks_uri

log = logging.getLogger(__name__)
EVERY: Final = 300.0
BETWEEN: Final = 5.0
"""Seconds between two fetches, however many unknown keys tokens name, and after a failure."""
RSA_BITS: Final = range(2048, 8193)


class Jwks:
    """Follows the key set of one issuer. `url` is where it is, else its metadata says."""

    def __init__(
        self,
        issuer: str,
        url: str,
        swap: Callable[[KeySet], None],
        documents: Documents,
        *,
        every: float = EVERY,
        between: float = BETWEEN,
    ) -> None:
        self._issuer = issuer
        self._url = url
        self._documents = documents
        self._swap = swap
        self._every = every
        self._between = between
        self._wanted = asyncio.Event()

    def want(self) -> None:
        """Asks for a fetch, soon: a token names a key that is not there."""
        self._wanted.set()

    async def follow(self) -> None:
        """Until cancelled. A failed fetch keeps the keys that were there."""
        while True:
            self._wanted.clear()
            fetched = await self._once()
            await asyncio.sleep(self._between)
            if fetched:
                await self._wait()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._every):
                await self._wanted.wait()
        except TimeoutError:
            return

    async def _once(self) -> bool:
        try:
            url = self._url or await jwks_uri(self._issuer, self._documents)
            self._swap(key_set(await self._documents.read(url)))
        except DocumentError as error:
            log.warning("the keys of %s could not be fetched: %s", self._issuer, error)
            return False
        return True


def key_set(document: Mapping[str, Any]) -> KeySet:
    """The keys that can verify signatures; others are passed over (RFC 7517, section 5).

    Passed over are keys of unknown types, for encryption, or damaged; symmetric and private ones,
    which nobody may publish; and RSA outside of 2048 to 8192 bits. Raises DocumentError when none
    is left.
    """
    listed = document.get("keys")
    found = [_key(item) for item in listed] if isinstance(listed, list) else []
    usable = [key for key in found if key is not None]
    if not usable:
        raise DocumentError("there is no key for signatures in the document")
    return KeySet(usable)


def _key(item: Any) -> Key | None:
    if not isinstance(item, dict) or item.get("kty") not in ("RSA", "EC", "OKP"):
        return None
    if item.get("use", "sig") != "sig" or "d" in item:
        return None
    try:
        if item["kty"] == "RSA" and base64_to_int(item["n"]).bit_length() not in RSA_BITS:
            return None
        key = JWKRegistry.import_key(item)
        key.ensure_kid()
    except (JoseError, UnsupportedAlgorithm, KeyError, TypeError, ValueError):
        return None
    return key
