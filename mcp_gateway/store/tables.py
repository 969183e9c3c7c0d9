"""The rows of the store."""

from sqlmodel import Field, SQLModel


class ApiKeyRow(SQLModel, table=True):
    """An API key: only the SHA-256 of its text is kept."""

    __tablename__ = "api_keys"

    id: str = Field(primary_key=True)
    digest: str = Field(unique=True)
    subject: str
    tenant: str
    client: str = ""
    mode: str = "unknown"
    roles: str = ""
    scopes: str = ""
    created: int
    expires: int = 0
    revoked: int = 0


class PinRow(SQLModel, table=True):
    """The digest of a definition that is served: the one that was reviewed."""

    __tablename__ = "pins"

    server: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    digest: str
    definition: bytes
    pinned: int


class WordingRow(SQLModel, table=True):
    """One of several reviewed definitions of a name that people are shown in different words."""

    __tablename__ = "wordings"

    server: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    digest: str = Field(primary_key=True)
    definition: bytes
    pinned: int


class AccessRequestRow(SQLModel, table=True):
    """What somebody asked for through the gateway's own tool."""

    __tablename__ = "access_requests"

    id: str = Field(primary_key=True)
    identity: str
    tenant: str
    target: str
    reason: str
    asked: int
    closed: int = 0


class RevocationRow(SQLModel, table=True):
    """A name that no longer authenticates: `token:…`, `subject:…` or `client:…`."""

    __tablename__ = "revocations"

    name: str = Field(primary_key=True)
    reason: str
    revoked: int


class RevisionRow(SQLModel, table=True):
    """One number that grows with every change, for other processes to watch."""

    __tablename__ = "revision"

    id: int = Field(default=1, primary_key=True)
    number: int = 0
