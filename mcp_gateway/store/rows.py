"""The rows of people, clients, tokens, grants and secrets.

Times are Unix seconds, 0 for never; sets are sorted words with a blank between; each `digest` is
the SHA-256, in hex, of what its holder shows and nobody can read here.
"""

from sqlmodel import Field, SQLModel, UniqueConstraint


class BrowserRow(SQLModel, table=True):
    """A browser that somebody logged in with; `by` says what with, as `Person.by` does."""

    __tablename__ = "logged_in"

    digest: str = Field(primary_key=True)
    by: str
    created: int
    used: int
    ends: int


class PersonRow(SQLModel, table=True):
    """Somebody who logs in. `password` is an argon2id hash, empty for people of a provider."""

    __tablename__ = "persons"
    __table_args__ = (UniqueConstraint("tenant", "issuer", "subject"),)

    id: str = Field(primary_key=True)
    tenant: str
    issuer: str
    subject: str
    name: str = ""
    roles: str = ""
    password: str = ""
    created: int
    disabled: int = 0


class LoginRow(SQLModel, table=True):
    """A log-in that is under way at a provider, by the digest of its state."""

    __tablename__ = "logins"

    digest: str = Field(primary_key=True)
    browser: str
    next: str
    provider: str
    created: int
    ends: int


class ClientRow(SQLModel, table=True):
    """A client of the authorization server. `kind` is dcr, cimd or registered."""

    __tablename__ = "clients"

    id: str = Field(primary_key=True)
    kind: str
    name: str = ""
    redirects: str = "[]"
    secret: str = ""
    method: str = "none"
    jwks: str = ""
    grants: str = ""
    scopes: str = ""
    mode: str = "unknown"
    host: str = ""
    document: bytes = b""
    etag: str = ""
    fetched: int = 0
    created: int
    used: int = 0
    ends: int = 0
    disabled: int = 0


class AuthorizationRow(SQLModel, table=True):
    """A request for authorization that waits for a log-in or a consent."""

    __tablename__ = "authorizations"

    digest: str = Field(primary_key=True)
    browser: str
    client: str
    redirect: str
    scopes: str
    resource: str
    state: str = ""
    challenge: str
    created: int
    ends: int
    done: int = 0


class CodeRow(SQLModel, table=True):
    """An authorization code (RFC 6749, section 4.1.2)."""

    __tablename__ = "codes"

    digest: str = Field(primary_key=True)
    family: str
    client: str
    redirect: str
    challenge: str
    resource: str
    scopes: str
    person: str
    ends: int
    used: int = 0


class FamilyRow(SQLModel, table=True):
    """Every token that came of one authorization: revoked together."""

    __tablename__ = "families"

    id: str = Field(primary_key=True)
    person: str
    client: str
    resource: str
    scopes: str
    created: int
    ends: int
    revoked: int = 0


class RefreshRow(SQLModel, table=True):
    """A refresh token of a family."""

    __tablename__ = "refreshes"

    digest: str = Field(primary_key=True)
    family: str = Field(index=True)
    created: int
    ends: int
    used: float = 0.0


class SigningKeyRow(SQLModel, table=True):
    """A key that signs access tokens from `begins` on; its private half is in the vault."""

    __tablename__ = "signing_keys"

    kid: str = Field(primary_key=True)
    public: str
    created: int
    begins: int


class UsedRow(SQLModel, table=True):
    """What may be shown once: `jti:<issuer>|<jti>`."""

    __tablename__ = "used"

    name: str = Field(primary_key=True)
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
