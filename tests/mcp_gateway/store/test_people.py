"""People are known by tenant, issuer and subject; what ends them ends what came of them."""

from pathlib import Path
from typing import Any

import pytest

from mcp_gateway.store.browsers import Browsers
from mcp_gateway.store.database import Database
from mcp_gateway.store.keys import Keys
from mcp_gateway.store.people import PersonRows
from mcp_gateway.store.revocations import Revocations
from mcp_gateway.store.rows import BrowserRow, CodeRow, FamilyRow, PersonRow

NOW = 1_700_000_000


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database.open(tmp_path / "gateway.db")


def person(subject: str, tenant: str = "acme", issuer: str = "local") -> PersonRow:
    return PersonRow(
        id=f"{tenant}-{subject}",
        tenant=tenant,
        issuer=issuer,
        subject=subject,
        roles="ops user",
        password="a hash",
        created=NOW,
    )


def logged_in(database: Database, by: str, name: str) -> None:
    """A browser, a code and a family of somebody."""
    browser = BrowserRow(digest=name, by=by, created=NOW, used=NOW, ends=NOW + 99)
    Browsers(database).open(browser, "")
    shared: dict[str, Any] = {
        "person": by,
        "client": "c",
        "resource": "r",
        "scopes": "",
        "ends": NOW + 99,
    }
    with database.quietly() as session:
        session.add(FamilyRow(id=name, created=NOW, **shared))
        session.add(CodeRow(digest=name, family="f", redirect="", challenge="", **shared))


def left(database: Database, name: str) -> tuple[bool, bool, bool]:
    """Whether the browser, the code and the family are there still."""
    with database.reading() as session:
        family = session.get(FamilyRow, name)
        assert family is not None
        rows = (session.get(BrowserRow, name), session.get(CodeRow, name))
        return rows[0] is not None, rows[1] is not None, not family.revoked


def test_a_person_is_added_once_and_found_in_their_tenant_alone(database: Database) -> None:
    rows = PersonRows(database)

    added = [rows.add(person("ada")), rows.add(person("ada")), rows.add(person("ada", "other"))]

    assert added == [True, False, True]
    found = rows.named("acme", "ada")
    assert found is not None
    assert found.id == "acme-ada"
    assert rows.named("acme", "Ada") is None
    assert rows.named("acme", "ada", "https://login.example") is None


def test_a_list_is_of_one_tenant_and_shows_no_password(database: Database) -> None:
    rows = PersonRows(database)
    for one in (person("bob"), person("ada"), person("eve", "other")):
        rows.add(one)
    rows.disable("acme-bob", NOW)

    listed = rows.all("acme")

    assert [(one.subject, one.roles, one.disabled) for one in listed] == [
        ("ada", ["ops", "user"], 0),
        ("bob", ["ops", "user"], NOW),
    ]
    assert "hash" not in repr(listed)


@pytest.mark.requirement("people:what-ends-them")
@pytest.mark.parametrize("act", ["disable", "remove", "password"])
def test_what_somebody_began_is_over_with_them_and_nothing_of_others(
    database: Database, act: str
) -> None:
    rows = PersonRows(database)
    rows.add(person("ada"))
    rows.add(person("bob"))
    logged_in(database, "person:acme-ada", "hers")
    logged_in(database, "person:acme-bob", "his")
    revision = database.revision()

    if act == "password":
        rows.password("acme-ada", "another hash", NOW + 1)
    else:
        getattr(rows, act)("acme-ada", NOW + 1)

    assert left(database, "hers") == (False, False, False)
    assert left(database, "his") == (True, True, True)
    assert database.revision() > revision
    ended = Keys(database).keyring(1).ended
    hers = {"family:hers": NOW + 1}
    subject = {} if act == "password" else {"subject:local|ada": NOW + 1}
    assert ended == hers | subject


def test_a_hash_that_was_changed_meanwhile_is_left_as_it_is(database: Database) -> None:
    rows = PersonRows(database)
    rows.add(person("ada"))

    rows.rehashed("acme-ada", "a hash", "the same, dearer")
    rows.rehashed("acme-ada", "a hash", "too late")

    found = rows.at("acme-ada")
    assert found is not None
    assert found.password == "the same, dearer"


def test_of_who_is_not_there_nothing_is_changed(database: Database) -> None:
    rows = PersonRows(database)

    rows.password("nobody", "h", NOW)
    rows.disable("nobody", NOW)
    rows.enable("nobody")
    rows.remove("nobody", NOW)
    rows.rehashed("nobody", "", "h")

    assert list(rows.all("acme")) == []
    assert not Keys(database).keyring(1).ended


@pytest.mark.requirement("people:disabled-whoever-vouches")
def test_who_is_disabled_is_denied_whatever_others_vouch_for_until_they_are_enabled(
    database: Database,
) -> None:
    rows, keys = PersonRows(database), Keys(database)
    rows.add(person("ada", issuer="https://login.example"))
    name = "subject:https://login.example|ada"

    rows.disable("acme-ada", NOW)
    later = keys.keyring(1).is_over(frozenset({name}), NOW + 3600)
    rows.enable("acme-ada")

    assert later
    assert not keys.keyring(2).is_over(frozenset({name}), NOW + 3600)
    assert keys.keyring(2).is_over(frozenset({name}), NOW)


def test_what_an_administrator_revoked_for_good_is_not_enabled_with_the_person(
    database: Database,
) -> None:
    rows = PersonRows(database)
    rows.add(person("ada"))
    Revocations(database).deny("subject:local|ada", "left the company", NOW)

    rows.disable("acme-ada", NOW)
    rows.enable("acme-ada")

    assert "subject:local|ada" in Keys(database).keyring(1).revoked
