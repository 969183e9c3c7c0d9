"""Client: who asks the authorization server for tokens."""

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from joserfc.jwk import KeySet

from mcp_gateway.config import WorkloadSection
from mcp_gateway.oauth.documents import DocumentError
from mcp_gateway.oauth.rfc7517 import key_set
from mcp_gateway.oauth.server.rfc7591 import Registered
from mcp_gateway.oauth.server.rfc8414 import CLIENT
from mcp_gateway.store.rows import ClientRow

ClientKind = Literal["dcr", "cimd", "registered"]


@dataclass(frozen=True, slots=True)
class Client:
    """`secret` is a SHA-256; `host` is where its name comes from, if anybody vouches for it."""

    id: str
    kind: ClientKind
    name: str
    method: str
    grants: frozenset[str]
    redirects: tuple[str, ...] = ()
    scopes: frozenset[str] = frozenset()
    secret: bytes = field(default=b"", repr=False)
    keys: KeySet | None = field(default=None, repr=False)
    host: str = ""
    mode: str = "unknown"
    roles: frozenset[str] = frozenset()

    @property
    def verified(self) -> bool:
        """Whether its name is more than its own word."""
        return self.kind != "dcr"

    def shows(self, secret: str) -> bool:
        """Whether this is its secret. Secrets are random, or as good as the operator's."""
        return bool(secret and self.secret) and hmac.compare_digest(digest_of(secret), self.secret)


def digest_of(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def of_row(row: ClientRow) -> Client:
    """A client that registered itself."""
    return Client(
        row.id,
        "dcr",
        row.name,
        row.method,
        frozenset(row.grants.split()),
        tuple(json.loads(row.redirects)),
        frozenset(row.scopes.split()),
        bytes.fromhex(row.secret),
    )


def of_document(id_: str, said: Registered, keys: KeySet | None) -> Client:
    """A client that a document is about: it is whoever publishes there."""
    host = urlsplit(id_).hostname or ""
    name = said.name or host
    return Client(
        id_,
        "cimd",
        name,
        said.method,
        said.grants,
        said.redirects,
        said.scopes,
        keys=keys,
        host=host,
    )


def of_section(name: str, section: WorkloadSection, jwks: bytes) -> Client:
    """A program that the configuration names. Raises ValueError for what is no key set."""
    keys = _keys(jwks) if jwks else None
    return Client(
        name,
        "registered",
        name,
        "private_key_jwt" if keys else "client_secret_basic",
        frozenset({CLIENT}),
        scopes=frozenset(section.scopes),
        secret=digest_of(section.secret.read()) if section.secret else b"",
        keys=keys,
        mode=section.mode,
        roles=frozenset(section.roles),
    )


def _keys(jwks: bytes) -> KeySet:
    found = json.loads(jwks)
    if not isinstance(found, dict):
        raise ValueError("a key set is a JSON object")  # noqa: TRY004  # of a file, not of a type
    try:
        return key_set(found)
    except DocumentError as error:
        raise ValueError(str(error)) from None
