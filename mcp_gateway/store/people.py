"""People who log in with a password, or at a provider: rows."""

from mcp_gateway.store.database import Database
from mcp_gateway.store.rows import PersonRow


class PersonRows:
    """Every method blocks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def at(self, id_: str) -> PersonRow | None:
        with self._database.reading() as session:
            return session.get(PersonRow, id_)
