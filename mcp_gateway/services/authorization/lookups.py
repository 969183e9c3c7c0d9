"""Revocation (RFC 7009) and introspection (RFC 7662): of tokens that somebody shows."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from mcp_gateway.config import Settings
from mcp_gateway.core import ports
from mcp_gateway.core.entry import Entry
from mcp_gateway.core.snapshot import Current
from mcp_gateway.oauth.claims import TokenRefused
from mcp_gateway.oauth.server import rfc7662, rfc9068
from mcp_gateway.oauth.server.rfc6749 import Parameters, invalid_client
from mcp_gateway.services.authorization.client import digest_of
from mcp_gateway.services.authorization.clients import Clients
from mcp_gateway.services.authorization.families import Families
from mcp_gateway.services.authorization.signing import Signing
from mcp_gateway.services.keyring import KeyringService
from mcp_gateway.store.families import Families as Kept
from mcp_gateway.store.revocations import Revocations


class Lookups:
    """Whoever asks is authenticated first; of what is unknown nothing is said."""

    def __init__(
        self,
        clients: Clients,
        families: Families,
        kept: Kept,
        signing: Signing,
        revocations: Revocations,
        keyring: KeyringService,
        ledger: ports.Ledger,
        current: Current,
        settings: Callable[[], Settings],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clients = clients
        self._families = families
        self._kept = kept
        self._signing = signing
        self._revocations = revocations
        self._keyring = keyring
        self._ledger = ledger
        self._current = current
        self._settings = settings
        self._clock = clock

    async def revoke(self, form: Parameters, authorization: bytes | None, peer: str) -> None:
        """A client's own token: with a refresh token all of its family. Raises OAuthError."""
        client = await self._clients.authenticated(form, authorization, peer)
        token = form.need("token")
        found = await asyncio.to_thread(self._kept.of_refresh, digest_of(token).hex())
        if found and found[0].client == client.id:
            await self._families.end(found[0].id, "its client gave it back")
            return
        claims = self._claims(token)
        if claims is None or claims["client_id"] != client.id:
            return
        if family := claims.get("fam"):
            await self._families.end(family, "its client gave it back")
            return
        name = f"token:{claims['iss']}|{claims['jti']}"
        body = {"name": name, "by": f"client:{client.id}", "reason": "its client gave it back"}
        await self._ledger.append(Entry("revoked", body=body))
        await asyncio.to_thread(self._revocations.end_token, name, claims["exp"], body["reason"])
        await self._keyring.refresh()

    async def introspect(
        self, form: Parameters, authorization: bytes | None, peer: str
    ) -> Mapping[str, Any]:
        """For programs of the configuration only, and of access tokens. Raises OAuthError."""
        client = await self._clients.authenticated(form, authorization, peer)
        if client.kind != "registered":
            raise invalid_client("only clients of the configuration may ask what a token is")
        claims = self._claims(form.need("token"))
        if claims is None or self._current.keyring.is_over(_names(claims), claims["iat"]):
            return rfc7662.INACTIVE
        return rfc7662.active(claims)

    def _claims(self, token: str) -> Mapping[str, Any] | None:
        """Of an access token that was signed here and has not expired."""
        issuer = self._settings().public
        try:
            return rfc9068.read(token, self._signing.public(), issuer, self._clock())
        except TokenRefused:
            return None


def _names(claims: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(
        (
            f"token:{claims['iss']}|{claims['jti']}",
            f"subject:{claims['idp']}|{claims['idp_sub']}",
            f"client:{claims['client_id']}",
            f"family:{claims.get('fam', '')}",
            f"key:{claims.get('key', '')}",
        )
    )
