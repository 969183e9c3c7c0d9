"""API keys and revocations: rows to core types and back."""

import hashlib
import secrets
from dataclasses import dataclass

from sqlmodel import select

from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import ApiKey, Keyring
from mcp_gateway.store.database import Database
from mcp_gateway.store.grants import granted
from mcp_gateway.store.revocations import names_in
from mcp_gateway.store.tables import ApiKeyRow

LOCAL = "local"
"""The issuer of subjects that the gateway itself registered."""
PREFIX = "mcpgw"


@dataclass(frozen=True, slots=True)
class KeySummary:
    """What may be shown of a key. Times are Unix seconds, 0 for never."""

    id: str
    subject: str
    client: str
    mode: str
    roles: list[str]
    scopes: list[str]
    created: int
    expires: int
    revoked: int


def digest_of(text: str | bytes) -> bytes:
    """The SHA-256 by which a key is found. Keys are random, so no slow hash is needed."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).digest()


class Keys:
    """The registered API keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, principal: Principal, now: int, expires: int = 0) -> tuple[str, str]:
        """Registers a key and returns (id, text). The text cannot be had again."""
        key_id = secrets.token_hex(4)
        text = f"{PREFIX}_{key_id}_{secrets.token_urlsafe(32)}"
        row = ApiKeyRow(
            id=key_id,
            digest=digest_of(text).hex(),
            subject=principal.subject,
            tenant=principal.tenant,
            client=principal.client,
            mode=principal.mode,
            roles=" ".join(sorted(principal.roles)),
            scopes=" ".join(sorted(principal.scopes)),
            created=now,
            expires=expires,
        )
        with self._database.writing() as session:
            session.add(row)
        return key_id, text

    def list(self, tenant: str) -> list[KeySummary]:
        with self._database.reading() as session:
            rows = session.exec(select(ApiKeyRow).where(ApiKeyRow.tenant == tenant))
            return [_summary(row) for row in sorted(rows, key=lambda row: row.created)]

    def revoke(self, key_id: str, tenant: str, now: int) -> bool:
        """Ends a key. False when the tenant has no such key."""
        with self._database.writing() as session:
            row = session.get(ApiKeyRow, key_id)
            if row is None or row.tenant != tenant:
                return False
            row.revoked = row.revoked or now
            session.add(row)
            return True

    def revoke_subject(self, subject: str, tenant: str, now: int) -> int:
        """Ends every key of a local subject, and returns how many it ended."""
        with self._database.writing() as session:
            rows = session.exec(
                select(ApiKeyRow).where(
                    ApiKeyRow.tenant == tenant,
                    ApiKeyRow.subject == subject,
                    ApiKeyRow.revoked == 0,
                )
            ).all()
            for row in rows:
                row.revoked = now
                session.add(row)
            return len(rows)

    def keyring(self, generation: int) -> Keyring:
        """Everything that authentication looks up, of this moment."""
        with self._database.reading() as session:
            rows = session.exec(select(ApiKeyRow).where(ApiKeyRow.revoked == 0)).all()
            over = session.exec(select(ApiKeyRow.id).where(ApiKeyRow.revoked != 0)).all()
            revoked, ended = names_in(session)
            connected = granted(session)
        keys = {bytes.fromhex(row.digest): _api_key(row) for row in rows}
        # By these names the tokens are over that somebody logged in for with such a key.
        named = revoked | {f"key:{key_id}" for key_id in over}
        return Keyring(keys, named, generation, connected, ended)


def _api_key(row: ApiKeyRow) -> ApiKey:
    principal = Principal(
        issuer=LOCAL,
        subject=row.subject,
        tenant=row.tenant,
        client=row.client or f"key:{row.id}",
        roles=frozenset(row.roles.split()),
        scopes=frozenset(row.scopes.split()),
        mode=row.mode,
    )
    return ApiKey(row.id, principal, row.expires, row.created)


def _summary(row: ApiKeyRow) -> KeySummary:
    return KeySummary(
        id=row.id,
        subject=row.subject,
        client=row.client,
        mode=row.mode,
        roles=row.roles.split(),
        scopes=row.scopes.split(),
        created=row.created,
        expires=row.expires,
        revoked=row.revoked,
    )
