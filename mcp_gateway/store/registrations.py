"""The gateway as a client of upstreams' servers: one an upstream and an issuer."""

from mcp_gateway.store.database import Database
from mcp_gateway.store.rows import RegistrationRow


class RegistrationRows:
    """Without their secrets, which are in the vault."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, upstream: str, issuer: str) -> RegistrationRow | None:
        with self._database.reading() as session:
            return session.get(RegistrationRow, (upstream, issuer))

    def put(self, row: RegistrationRow) -> None:
        """In place of the one before."""
        with self._database.quietly() as session:
            session.merge(row)

    def drop(self, upstream: str, issuer: str) -> None:
        with self._database.quietly() as session:
            row = session.get(RegistrationRow, (upstream, issuer))
            if row is not None:
                session.delete(row)
