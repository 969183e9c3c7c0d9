"""Leases: what only one owner, of all processes on the store, does at a time."""

from sqlalchemy.dialects.sqlite import insert
from sqlmodel import col, delete, select

from mcp_gateway.store.database import Database
from mcp_gateway.store.rows import LeaseRow


class LeaseRows:
    """The table. Times are Unix seconds; every method blocks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, name: str, owner: str, now: float, until: float) -> bool:
        """Whether it was free, or its time was over: then it is the owner's until then."""
        wanted = (
            insert(LeaseRow)
            .values(name=name, owner=owner, until=until)
            .on_conflict_do_update(
                index_elements=["name"],
                set_={"owner": owner, "until": until},
                where=col(LeaseRow.until) <= now,
            )
        )
        with self._database.quietly() as session:
            return bool(session.exec(wanted).rowcount)

    def free(self, name: str, now: float) -> bool:
        """Whether taking it is worth a try: a look that hinders nobody who writes."""
        with self._database.reading() as session:
            until = session.exec(select(LeaseRow.until).where(LeaseRow.name == name)).first()
            return until is None or until <= now

    def release(self, name: str, owner: str) -> None:
        """Ends it, unless it has become another's."""
        with self._database.quietly() as session:
            session.exec(
                delete(LeaseRow).where(col(LeaseRow.name) == name, col(LeaseRow.owner) == owner)
            )
