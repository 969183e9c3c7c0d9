"""A consent that is under way is taken once, and not after its time."""

from pathlib import Path

import pytest

from mcp_gateway.store.begun import Begun
from mcp_gateway.store.database import Database
from mcp_gateway.store.rows import BegunRow


def row(digest: str = "d", ends: int = 100) -> BegunRow:
    return BegunRow(digest=digest, upstream="up", server_issuer="i", client="us", ends=ends)


def test_it_is_taken_once_by_whichever_process_comes_first(tmp_path: Path) -> None:
    first, second = (Database.open(tmp_path / "gateway.db") for _ in range(2))
    Begun(first).put(row(), 0)
    revision = first.revision()

    assert Begun(second).take("d", 99).upstream == "up"
    for database in (first, second):
        with pytest.raises(KeyError):
            Begun(database).take("d", 99)
        assert database.revision() == revision
        database.close()


def test_what_nobody_came_back_for_is_over_and_goes(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "gateway.db")
    begun = Begun(database)
    begun.put(row("old"), 0)
    begun.put(row("new", 300), 100)

    with pytest.raises(KeyError):
        begun.take("old", 50)
    with pytest.raises(KeyError):
        begun.take("new", 300)
    database.close()
