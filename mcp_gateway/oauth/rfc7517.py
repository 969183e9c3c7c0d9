"""The issuer's keys (RFC 7517): fetched off the path, again every few minutes and when missed."""

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Final

import httpx2
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

log = logging.getLogger(__name__)
EVERY: Final = 300.0
AFTER_FAILURE: Final = 5.0
BETWEEN: Final = 5.0
"""Seconds between two fetches, however many unknown keys tokens name."""


class Jwks:
    """Follows the key set of one issuer."""

    def __init__(
        self,
        issuer: str,
        url: str,
        swap: Callable[[KeySet], None],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._issuer = issuer
        self._url = url
        self._swap = swap
        self._verify: ssl.SSLContext | bool = tls or True
        self._wanted = asyncio.Event()

    def want(self) -> None:
        self._wanted.set()

    async def follow(self) -> None:
        """Until cancelled. A failed fetch keeps the keys that were there."""
        async with httpx2.AsyncClient(verify=self._verify, timeout=10) as client:
            while True:
                fetched = await self._once(client)
                await asyncio.sleep(BETWEEN if fetched else AFTER_FAILURE)
                self._wanted.clear()
                if fetched:
                    await self._wait()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(EVERY):
                await self._wanted.wait()
        except TimeoutError:
            return

    async def _once(self, client: httpx2.AsyncClient) -> bool:
        try:
            url = self._url or await self._discover(client)
            answer = await client.get(url)
            answer.raise_for_status()
            self._swap(KeySet.import_key_set(answer.json()))
        except (httpx2.HTTPError, JoseError, ValueError, KeyError) as error:
            log.warning("the keys of %s could not be fetched: %s", self._issuer, error)
            return False
        return True

    async def _discover(self, client: httpx2.AsyncClient) -> str:
        """`jwks_uri` from the issuer's metadata, whose `issuer` must be the one configured."""
        url = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
        metadata = (await client.get(url)).raise_for_status().json()
        if metadata.get("issuer") != self._issuer:
            raise ValueError(f"{url} is of the issuer {metadata.get('issuer')!r}")
        return str(metadata["jwks_uri"])
