"""Who has logged in is one person, and who is at a browser can be disabled."""

from dataclasses import replace
from pathlib import Path

import pytest

from mcp_gateway.core.principal import Principal
from mcp_gateway.store.database import Database
from mcp_gateway.store.people import People
from mcp_gateway.store.rows import BrowserRow, PersonRow

ADA = Principal("local", "ada", "acme", client="key:1", roles=frozenset({"user"}))
NOW = 1_700_000_000


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database.open(tmp_path / "gateway.db")


def browser(person: str, digest: str = "d", created: int = NOW) -> BrowserRow:
    return BrowserRow(
        digest=digest, person=person, roles="user", created=created, used=created, ends=created + 10
    )


def test_whoever_they_come_with_a_person_is_one(database: Database) -> None:
    people = People(database)

    first = people.met(ADA, NOW)

    assert people.met(replace(ADA, client="other", roles=frozenset()), NOW + 1) == first
    assert people.met(replace(ADA, tenant="other"), NOW) != first


def test_a_browser_has_its_person_until_it_is_closed_or_they_are_disabled(
    database: Database,
) -> None:
    people = People(database)
    id_ = people.met(ADA, NOW)
    people.open(browser(id_))
    found = people.at("d")
    assert found is not None
    assert (found[0].roles, found[1].subject) == ("user", "ada")

    with database.writing() as session:
        row = session.get(PersonRow, id_)
        assert row is not None
        row.disabled = NOW
        session.add(row)

    assert people.at("d") is None
    people.close("d")
    assert people.at("unknown") is None


def test_browsers_that_are_over_are_forgotten(database: Database) -> None:
    people = People(database)
    id_ = people.met(ADA, NOW)
    people.open(browser(id_, "old"))

    people.open(browser(id_, "new", NOW + 10))

    assert people.at("old") is None
    assert people.at("new") is not None
