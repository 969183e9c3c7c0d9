"""A log-in that is under way is taken once, and its person is one, whoever brings them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_gateway.store.database import Database
from mcp_gateway.store.logins import LoginRows
from mcp_gateway.store.people import PersonRows
from mcp_gateway.store.rows import LoginRow, PersonRow


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[list[Database]]:
    """Of two processes."""
    made = [Database.open(tmp_path / "gateway.db") for _ in range(2)]
    yield made
    for database in made:
        database.close()


def row(digest: str = "d", created: int = 0, ends: int = 100) -> LoginRow:
    return LoginRow(
        digest=digest, browser="b", next="/connections", provider="p", created=created, ends=ends
    )


def person(id_: str, name: str, roles: str, tenant: str = "acme") -> PersonRow:
    return PersonRow(
        id=id_, tenant=tenant, issuer="i", subject="ada", name=name, roles=roles, created=1
    )


def test_it_is_taken_once_by_whichever_process_comes_first(stores: list[Database]) -> None:
    first, second = stores
    LoginRows(first).put(row())

    assert LoginRows(second).take("d", 99).next == "/connections"
    for database in stores:
        with pytest.raises(KeyError):
            LoginRows(database).take("d", 99)


def test_what_nobody_came_back_for_is_over_and_goes(stores: list[Database]) -> None:
    rows = LoginRows(stores[0])
    rows.put(row("old"))
    rows.put(row("new", 100, 300))

    for digest, now in (("old", 50), ("new", 300)):
        with pytest.raises(KeyError):
            rows.take(digest, now)


def test_who_comes_again_is_the_same_person_with_the_roles_of_now(stores: list[Database]) -> None:
    first, second = (LoginRows(database) for database in stores)

    ids = [first.came(person("1", "Ada", "ops user")), second.came(person("2", "Ada L.", "user"))]
    elsewhere = first.came(person("3", "Ada", "", tenant="other"))

    assert ids == ["1", "1"]
    assert elsewhere == "3"
    kept = PersonRows(stores[0]).at("1")
    assert kept
    assert (kept.name, kept.roles) == ("Ada L.", "user")


def test_who_is_disabled_stays_so(stores: list[Database]) -> None:
    rows = LoginRows(stores[0])
    rows.came(person("1", "Ada", "user"))
    with stores[0].quietly() as session:
        session.connection().exec_driver_sql("UPDATE persons SET disabled = 7")

    rows.came(person("2", "Ada", "user"))

    kept = PersonRows(stores[1]).at("1")
    assert kept
    assert kept.disabled == 7
