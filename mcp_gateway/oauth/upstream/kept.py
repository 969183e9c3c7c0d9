"""What is kept in the vault of one person's grant at an upstream."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from mcp_gateway.core.principal import Principal
from mcp_gateway.core.secret import Secret
from mcp_gateway.oauth.ports import Place
from mcp_gateway.oauth.upstream import scopes
from mcp_gateway.oauth.upstream.client import nothing
from mcp_gateway.oauth.upstream.rfc6749 import Answer
from mcp_gateway.oauth.vault import place_of


def place(principal: Principal, server: str) -> Place:
    """Where it is."""
    return place_of(principal, server, "delegated")


@dataclass(frozen=True, slots=True)
class Kept:
    """Tokens of one issuer, given to the client that the gateway was there, and shown no other.

    `expires` is Unix seconds, 0 where the server did not say. `narrowed` are the scopes that a
    token was asked for with when it was to have fewer than were consented to.
    """

    access: Secret
    issuer: str
    client: str
    resource: str = ""
    refresh: Secret = field(default_factory=nothing)
    id: Secret = field(default_factory=nothing)
    expires: int = 0
    scopes: frozenset[str] = frozenset()
    narrowed: frozenset[str] = frozenset()

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Self:
        """What `mapping` made."""
        return cls(
            access=Secret(found["access_token"]),
            issuer=found["issuer"],
            client=found["client"],
            resource=found["resource"],
            refresh=Secret(found["refresh_token"]),
            id=Secret(found["id_token"]),
            expires=found["expires"],
            scopes=scopes.words(found["scope"]),
            narrowed=scopes.words(found["narrowed"]),
        )

    def mapping(self) -> Mapping[str, Any]:
        return {
            "access_token": self.access.reveal(),
            "refresh_token": self.refresh.reveal(),
            "id_token": self.id.reveal(),
            "expires": self.expires,
            "scope": scopes.text(self.scopes),
            "narrowed": scopes.text(self.narrowed),
            "issuer": self.issuer,
            "client": self.client,
            "resource": self.resource,
        }

    def renewed(self, answer: Answer, now: float, narrowed: frozenset[str] = frozenset()) -> Self:
        """With another access token. Where no new refresh token came, the old one goes on."""
        return replace(
            self,
            access=answer.access,
            refresh=answer.refresh if answer.refresh.reveal() else self.refresh,
            id=answer.id if answer.id.reveal() else self.id,
            expires=int(now) + answer.expires_in if answer.expires_in else 0,
            scopes=answer.scopes or narrowed or self.scopes,
            narrowed=narrowed,
        )
