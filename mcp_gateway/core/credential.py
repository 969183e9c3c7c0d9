"""Credential and Grant: what an upstream is shown, and how it is obtained."""

from dataclasses import dataclass, field
from typing import Final, Literal

GrantKind = Literal["none", "static", "service", "delegated", "token_exchange", "id_jag"]
PERSONAL: Final = frozenset({"delegated", "token_exchange", "id_jag"})
"""Kinds whose credential is always one person's."""


@dataclass(frozen=True, slots=True)
class Grant:
    """How the credential for an upstream is obtained. `secret` is a reference, never a value.

    `scopes` are asked for with every call, and those of the most specific pattern of `tools`
    that covers the target's name besides; `downscope` says that the upstream's server gives
    tokens with fewer scopes than were consented to.
    """

    kind: GrantKind = "none"
    header: str = "Authorization"
    prefix: str = "Bearer "
    secret: str = ""
    scopes: frozenset[str] = frozenset()
    per_user: bool = False
    tools: tuple[tuple[str, frozenset[str]], ...] = ()
    downscope: bool = False

    @property
    def personal(self) -> bool:
        """Whether two people show the upstream different credentials."""
        return self.per_user or self.kind in PERSONAL

    @property
    def connected(self) -> bool:
        """Whether each person connects the upstream themselves, before anything can be called."""
        return self.per_user or self.kind == "delegated"


NO_GRANT: Final = Grant()


@dataclass(frozen=True, slots=True)
class Credential:
    """What one call shows its upstream. `headers` never appear in a repr, a log or an entry.

    `reference` names the credential in the ledger without revealing it ("static:github"); sessions
    with upstreams are kept apart by it, so two people never have the same. `scopes` are what the
    token is good for, and `effective` says what bounds the call: the token's scopes, or, where the
    upstream cannot give fewer, the policy alone.
    """

    reference: str = ""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    scopes: frozenset[str] = frozenset()
    effective: Literal["", "token", "policy"] = ""


NONE: Final = Credential()


class CredentialRefused(Exception):
    """The upstream answered 401 to the credential it was shown, or 403 `insufficient_scope`.

    `challenge` is the raw `WWW-Authenticate`, a stranger's words; empty when there was none.
    """

    def __init__(self, challenge: str = "", *, status: int = 401) -> None:
        super().__init__(f"HTTP {status}")
        self.challenge = challenge
        self.status = status


@dataclass(frozen=True, slots=True)
class Rejected:
    """A credential, and how its upstream refused it."""

    credential: Credential
    how: CredentialRefused


@dataclass(frozen=True, slots=True)
class Shown:
    """What the caller authenticated with: in no repr, no entry, and never at an upstream.

    `authorization` is the whole header, `path` the endpoint that it was shown at.
    """

    authorization: bytes = field(default=b"", repr=False)
    path: str = ""

    @property
    def token(self) -> str:
        """What stands behind the scheme; empty where nothing does."""
        return self.authorization.partition(b" ")[2].strip().decode("latin-1")


NOTHING_SHOWN: Final = Shown()
