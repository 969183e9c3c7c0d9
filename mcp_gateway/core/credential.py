"""Credential and Grant: what an upstream is shown, and how it is obtained."""

from dataclasses import dataclass, field
from typing import Final, Literal

GrantKind = Literal["none", "static", "service", "delegated", "token_exchange", "id_jag"]


@dataclass(frozen=True, slots=True)
class Grant:
    """How the credential for an upstream is obtained. `secret` is a reference, never a value."""

    kind: GrantKind = "none"
    header: str = "Authorization"
    prefix: str = "Bearer "
    secret: str = ""
    scopes: frozenset[str] = frozenset()


NO_GRANT: Final = Grant()


@dataclass(frozen=True, slots=True)
class Credential:
    """What one call shows its upstream. `headers` never appear in a repr, a log or an entry.

    `reference` names the credential in the ledger without revealing it ("static:github").
    """

    reference: str = ""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)


NONE: Final = Credential()


class CredentialRefused(Exception):
    """The upstream answered 401 to the credential it was shown."""
