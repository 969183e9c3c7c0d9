"""Revocation (RFC 7009) and introspection (RFC 7662): of tokens that somebody shows."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from mcp_gateway.config import Settings
from mcp_gateway.core.snapshot import Current
from mcp_gateway.oauth.claims import TokenRefused
from mcp_gateway.oauth.ports import People
from mcp_gateway.oauth.rfc9068 import own_names
from mcp_gateway.oauth.server import rfc7662, rfc9068
from mcp_gateway.oauth.server.rfc6749 import Parameters, invalid_client
from mcp_gateway.services.authorization.clients import Clients
from mcp_gateway.services.authorization.families import Families
from mcp_gateway.services.authorization.signing import Signing

GIVEN_BACK = "its client gave it back"


class Lookups:
    """Whoever asks is authenticated first; of what is unknown nothing is said."""

    def __init__(
        self,
        clients: Clients,
        families: Families,
        people: People,
        signing: Signing,
        current: Current,
        settings: Callable[[], Settings],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clients = clients
        self._families = families
        self._people = people
        self._signing = signing
        self._current = current
        self._settings = settings
        self._clock = clock

    async def revoke(self, form: Parameters, authorization: bytes | None, peer: str) -> None:
        """A client's own token, and all of its family. Raises OAuthError."""
        client = await self._clients.authenticated(form, authorization, peer)
        token = form.need("token")
        family = await self._families.of_refresh(token)
        if family and family.client == client.id:
            await self._families.end(family.id, GIVEN_BACK)
            return
        claims = self._claims(token)
        if claims is None or claims["client_id"] != client.id:
            return
        if "fam" in claims:
            await self._families.end(claims["fam"], GIVEN_BACK)
        else:
            await self._families.end_token(claims, GIVEN_BACK)

    async def introspect(
        self, form: Parameters, authorization: bytes | None, peer: str
    ) -> Mapping[str, Any]:
        """For programs of the configuration only, and of access tokens. Raises OAuthError."""
        client = await self._clients.authenticated(form, authorization, peer)
        if client.kind != "registered":
            raise invalid_client("only clients of the configuration may ask what a token is")
        claims = self._claims(form.need("token"))
        if claims is None or not await self._stands(claims):
            return rfc7662.INACTIVE
        return rfc7662.active(claims)

    async def _stands(self, claims: Mapping[str, Any]) -> bool:
        """Whether nothing of it was revoked, and whoever logged in for it still may."""
        if self._current.keyring.is_over(_names(claims), claims["iat"]):
            return False
        if "fam" not in claims:
            return True
        family = await self._families.standing(claims["fam"])
        return family is not None and await self._people.person(family.person) is not None

    def _claims(self, token: str) -> Mapping[str, Any] | None:
        """Of an access token that was signed here and has not expired."""
        issuer = self._settings().public
        try:
            return rfc9068.read(token, self._signing.public(), issuer, self._clock())
        except TokenRefused:
            return None


def _names(claims: Mapping[str, Any]) -> frozenset[str]:
    """By which it can be revoked."""
    identity = f"{claims['idp']}|{claims['idp_sub']}"
    return own_names(claims) | {
        f"token:{claims['iss']}|{claims['jti']}",
        f"subject:{identity}",
        f"sessionless:{identity}",
        f"client:{claims['client_id']}",
    }
