"""Grants: which upstreams a person has connected, as everybody may know it."""

from dataclasses import dataclass
from typing import Literal

from mcp_gateway.core.principal import Principal

GrantKey = tuple[str, str, str, str]
"""Tenant, issuer, subject, upstream."""
GrantState = Literal["connected", "broken"]


@dataclass(frozen=True, slots=True)
class Granted:
    """One grant, without what it opens. `version` grows with each consent, never with a refresh.

    `reason` says in words why it is broken, empty while it is not.
    """

    id: str
    version: int
    state: GrantState = "connected"
    scopes: frozenset[str] = frozenset()
    reason: str = ""


def grant_key(principal: Principal, upstream: str) -> GrantKey:
    """A grant is a person's, whichever client and roles they come with."""
    return principal.tenant, principal.issuer, principal.subject, upstream
