"""Principal: who is calling."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated party, always within one tenant. Every field is compared.

    (issuer, subject) is the identity, whom the call is for. `actor` is the agent acting for
    them (the `act` claim of RFC 8693), empty when they act themselves. `roles` are bare names
    ("admin"). `mode` is set at registration of the client or by a signed claim, never by what a
    client says of itself.
    """

    issuer: str
    subject: str
    tenant: str
    client: str = ""
    actor: str = ""
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    mode: str = "unknown"
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        identity = (self.issuer, self.subject, self.tenant, self.client, self.actor)
        whole = (*identity, self.roles, self.scopes, self.mode)
        object.__setattr__(self, "_hash", hash(whole))

    def __hash__(self) -> int:
        """Computed once: a principal is looked up in several tables on every call."""
        return self._hash

    @property
    def identity(self) -> str:
        """`issuer|subject`, as policies and the ledger name a principal."""
        return f"{self.issuer}|{self.subject}"
