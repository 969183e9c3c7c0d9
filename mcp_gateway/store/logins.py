"""Log-ins that are under way at a provider, and whom it says they are of: rows."""

from sqlmodel import col, delete, select

from mcp_gateway.store.database import Database
from mcp_gateway.store.rows import LoginRow, PersonRow


class LoginRows:
    """Every method blocks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, row: LoginRow) -> None:
        """What nobody came back for is forgotten."""
        with self._database.quietly() as session:
            session.execute(delete(LoginRow).where(col(LoginRow.ends) <= row.created))
            session.add(row)

    def take(self, digest: str, now: int) -> LoginRow:
        """It is taken once. Raises KeyError for one that is unknown, taken, or over."""
        with self._database.quietly() as session:
            row = session.get(LoginRow, digest)
            if row is None:
                raise KeyError(digest)
            session.delete(row)
        if row.ends <= now:
            raise KeyError(digest)
        return row

    def came(self, person: PersonRow) -> str:
        """Keeps what the provider says of them now. Returns their id: the first that they had."""
        with self._database.quietly() as session:
            known = session.exec(
                select(PersonRow)
                .where(PersonRow.tenant == person.tenant)
                .where(PersonRow.issuer == person.issuer)
                .where(PersonRow.subject == person.subject)
            ).first()
            row = known or person
            row.name, row.roles = person.name, person.roles
            session.add(row)
            return row.id
