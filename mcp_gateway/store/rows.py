"""The rows of browsers, revocations, grants and secrets.

Times are Unix seconds, 0 for never; sets are sorted words with a blank between; each `digest` is
the SHA-256, in hex, of what its holder shows and nobody can read here.
"""

from sqlmodel import Field, SQLModel, UniqueConstraint


class BrowserRow(SQLModel, table=True):
    """A browser that somebody logged in with; `by` is the digest of the key that was shown."""

    __tablename__ = "browsers"

    digest: str = Field(primary_key=True)
    by: str
    created: int
    used: int
    ends: int


class EndedRow(SQLModel, table=True):
    """Tokens of this name that were issued at `before` or earlier are over."""

    __tablename__ = "ended"

    name: str = Field(primary_key=True)
    before: int
    reason: str = ""


class TokenRevocationRow(SQLModel, table=True):
    """A revoked token, until it would have expired."""

    __tablename__ = "token_revocations"

    name: str = Field(primary_key=True)
    reason: str = ""
    ends: int


class SecretRow(SQLModel, table=True):
    """What the vault sealed, at its one place."""

    __tablename__ = "secrets"

    tenant: str = Field(primary_key=True)
    principal: str = Field(primary_key=True)
    upstream: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    version: int
    key_id: str
    wrapped: bytes
    nonce: bytes
    content: bytes
    written: int


class GrantRow(SQLModel, table=True):
    """An upstream that one person connected; its tokens are in the vault."""

    __tablename__ = "grants"
    __table_args__ = (UniqueConstraint("tenant", "issuer", "subject", "upstream"),)

    id: str = Field(primary_key=True)
    tenant: str
    issuer: str
    subject: str
    upstream: str
    kind: str
    server_issuer: str = ""
    client: str = ""
    scopes: str = ""
    state: str = "connected"
    reason: str = ""
    version: int = 1
    created: int
    refreshed: int = 0
    used: int = 0
    checked: int = 0


class TicketRow(SQLModel, table=True):
    """A link by which its one person connects one upstream."""

    __tablename__ = "tickets"

    digest: str = Field(primary_key=True)
    tenant: str
    issuer: str
    subject: str
    upstream: str
    scopes: str = ""
    call: str = ""
    created: int
    ends: int
    used: int = 0


class FlowRow(SQLModel, table=True):
    """A consent that is under way at an upstream's server, by the digest of its state."""

    __tablename__ = "flows"

    digest: str = Field(primary_key=True)
    ticket: str
    browser: str
    upstream: str
    created: int
    ends: int
    used: int = 0


class BegunRow(SQLModel, table=True):
    """Whom a consent that is under way was asked of, by the digest of its state."""

    __tablename__ = "begun"

    digest: str = Field(primary_key=True)
    upstream: str
    server_issuer: str
    client: str
    scopes: str = ""
    resource: str = ""
    ends: int


class RegistrationRow(SQLModel, table=True):
    """The gateway as a client of one issuer, for one upstream; its secret is in the vault."""

    __tablename__ = "registrations"

    upstream: str = Field(primary_key=True)
    server_issuer: str = Field(primary_key=True)
    client: str
    method: str = "none"
    created: int
    ends: int = 0


class LeaseRow(SQLModel, table=True):
    """Who does what only one process may do at a time, and until when."""

    __tablename__ = "leases"

    name: str = Field(primary_key=True)
    owner: str
    until: float
