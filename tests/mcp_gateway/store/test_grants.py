from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_gateway.core.grants import GrantKey
from mcp_gateway.store.database import Database
from mcp_gateway.store.grants import Grants, Made
from mcp_gateway.store.keys import Keys

ALICE: GrantKey = ("acme", "local", "alice", "docs")
BOB: GrantKey = ("acme", "local", "bob", "docs")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(tmp_path / "gateway.db")
    yield database
    database.close()


def made(number: int = 1) -> Made:
    return Made(f"g{number}", "delegated", frozenset({"write", "read"}), "https://as.example", "me")


@pytest.mark.requirement("connecting:grants-are-in-the-keyring")
def test_a_grant_that_was_put_is_in_the_keyring_of_its_person_alone(database: Database) -> None:
    Grants(database).put(ALICE, made(), 1000.0)

    grants = Keys(database).keyring(1).grants

    assert list(grants) == [ALICE]
    assert (grants[ALICE].id, grants[ALICE].state) == ("g1", "connected")
    assert grants[ALICE].scopes == {"read", "write"}


def test_another_consent_replaces_the_grant_and_its_version_grows(database: Database) -> None:
    grants = Grants(database)
    first = grants.put(ALICE, made(1), 1000.0)
    second = grants.put(ALICE, made(2), 1000.0)

    row = grants.row(ALICE)

    assert second.version > first.version
    assert row is not None
    assert (row.id, row.server_issuer, row.client) == ("g2", "https://as.example", "me")


def test_a_version_is_not_had_again_after_the_grant_was_dropped(database: Database) -> None:
    grants = Grants(database)
    first = grants.put(ALICE, made(1), 1000.0)
    dropped = grants.drop(ALICE)
    second = grants.put(ALICE, made(2), 1000.5)

    assert dropped
    assert second.version > first.version


def test_a_grant_breaks_once_and_says_why(database: Database) -> None:
    grants = Grants(database)
    grants.put(ALICE, made(), 1000.0)

    broke = [grants.broke(ALICE, "revoked there"), grants.broke(ALICE, "again")]
    granted = Keys(database).keyring(1).grants[ALICE]

    assert broke == [True, False]
    assert (granted.state, granted.reason) == ("broken", "revoked there")


def test_what_is_not_granted_neither_breaks_nor_ends(database: Database) -> None:
    grants = Grants(database)

    assert not grants.broke(ALICE, "why")
    assert not grants.drop(ALICE)


@pytest.mark.requirement("connecting:a-refresh-wakes-nobody")
def test_a_refresh_changes_neither_the_version_nor_the_revision(database: Database) -> None:
    grants = Grants(database)
    granted = grants.put(ALICE, made(), 1000.0)
    revision = database.revision()

    grants.refreshed(ALICE, 2000)
    row = grants.row(ALICE)

    assert row is not None
    assert (row.version, row.refreshed, row.checked) == (granted.version, 2000, 2000)
    assert database.revision() == revision


@pytest.mark.requirement("connecting:last-used")
def test_that_grants_were_used_is_noted_and_changes_nothing_else(database: Database) -> None:
    grants = Grants(database)
    for number, key in enumerate((ALICE, BOB)):
        grants.put(key, made(number), 1000.0)
    revision = database.revision()

    grants.used([ALICE, ("acme", "local", "gone", "docs")], 5000)

    assert [(summary.subject, summary.used) for summary in grants.all("acme")] == [
        ("alice", 5000),
        ("bob", 0),
    ]
    assert database.revision() == revision


def test_those_are_stale_that_nobody_looked_at_and_that_still_work(database: Database) -> None:
    grants = Grants(database)
    grants.put(ALICE, made(1), 1000.0)
    grants.put(BOB, made(2), 1000.0)
    carol: GrantKey = ("acme", "local", "carol", "docs")
    grants.put(carol, made(3), 1000.0)
    grants.broke(BOB, "over")
    grants.checked(carol, 5000)

    assert grants.stale(4000, 10) == [ALICE]


def test_all_grants_of_a_tenant_are_shown_the_oldest_first(database: Database) -> None:
    grants = Grants(database)
    grants.put(BOB, made(2), 2000.0)
    grants.put(ALICE, made(1), 1000.0)
    grants.put(("other", "local", "eve", "docs"), made(3), 500.0)

    found = grants.all("acme")

    assert [summary.subject for summary in found] == ["alice", "bob"]
    assert found[0].scopes == ["read", "write"]
