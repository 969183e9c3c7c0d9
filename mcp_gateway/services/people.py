"""Whom a log-in stands for now: the principal of a key in force, or a person of the store."""

import asyncio
import time
from collections.abc import Callable

from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import ApiKey, Current
from mcp_gateway.oauth.ports import Person
from mcp_gateway.store.people import PersonRows
from mcp_gateway.store.rows import PersonRow


class KnownPeople:
    """Implements `ports.People`."""

    def __init__(
        self, rows: PersonRows, current: Current, clock: Callable[[], float] = time.time
    ) -> None:
        self._rows = rows
        self._current = current
        self._clock = clock

    async def person(self, by: str) -> Person | None:
        kind, _, id_ = by.partition(":")
        if kind == "key":
            return self.of_key(bytes.fromhex(id_))
        row = await asyncio.to_thread(self._rows.at, id_) if kind == "person" else None
        return None if row is None or row.disabled else self._of_row(row)

    def of_key(self, digest: bytes) -> Person | None:
        """Whom the key with this SHA-256 stands for; None where it is not in force."""
        key = self._current.keyring.in_force(digest, self._clock())
        return _of_key(key, digest) if key else None

    def _of_row(self, row: PersonRow) -> Person | None:
        """None for whom an administrator revoked for good."""
        person = of_row(row)
        return person if self._current.keyring.revoked.isdisjoint(person.names) else None


def _of_key(key: ApiKey, digest: bytes) -> Person:
    who = key.principal
    return Person(f"key:{digest.hex()}", who, key.names, key.expires, who.subject)


def of_row(row: PersonRow) -> Person:
    """Somebody of the store, with the roles of their last log-in."""
    who = Principal(row.issuer, row.subject, row.tenant, roles=frozenset(row.roles.split()))
    names = frozenset({f"subject:{who.identity}", f"sessionless:{who.identity}"})
    return Person(f"person:{row.id}", who, names, name=row.name or row.subject)
