"""What is revoked is known to the keyring, for as long as it counts and no longer."""

import threading
from pathlib import Path

import pytest

from mcp_gateway.store.database import Database
from mcp_gateway.store.keys import Keys
from mcp_gateway.store.revocations import Revocations, Revoked

SUBJECT = "subject:https://login.example.com|alice"
TOKEN = "token:https://login.example.com|t-1"


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database.open(tmp_path / "gateway.db")


@pytest.mark.requirement("revocation:by-every-name")
def test_a_name_that_is_denied_is_over_whenever_it_was_issued(database: Database) -> None:
    Revocations(database).deny(SUBJECT, "stolen", 10)
    Revocations(database).deny(SUBJECT, "stolen again", 20)

    keyring = Keys(database).keyring(0)

    assert [keyring.is_over(frozenset({SUBJECT}), issued) for issued in (0, 10, 99)] == [True] * 3
    assert not keyring.is_over(frozenset({TOKEN}), 0)


@pytest.mark.requirement("revocation:up-to-a-moment")
def test_a_name_that_is_ended_is_over_for_what_was_issued_by_then(database: Database) -> None:
    Revocations(database).end(SUBJECT, 100, "left")

    keyring = Keys(database).keyring(0)

    names = frozenset({SUBJECT, TOKEN})
    assert [keyring.is_over(names, issued) for issued in (0, 99, 100, 101)] == [
        True,
        True,
        True,
        False,
    ]


@pytest.mark.requirement("revocation:up-to-a-moment")
def test_an_earlier_end_takes_nothing_back(database: Database) -> None:
    Revocations(database).end(SUBJECT, 100, "left")
    Revocations(database).end(SUBJECT, 50, "a late message")

    assert Keys(database).keyring(0).ended == {SUBJECT: 100}


@pytest.mark.requirement("revocation:by-every-name")
def test_a_token_is_kept_in_mind_until_it_has_expired(database: Database) -> None:
    revocations = Revocations(database)
    revocations.end_token(TOKEN, 100, "stolen")
    revocations.end_token(TOKEN, 90, "again")

    revocations.collect(99)
    assert TOKEN in Keys(database).keyring(0).revoked
    revocations.collect(100)
    assert TOKEN not in Keys(database).keyring(0).revoked


def test_all_that_count_are_listed_with_their_reasons(database: Database) -> None:
    revocations = Revocations(database)
    revocations.deny("client:old", "retired", 5)
    revocations.end(SUBJECT, 100, "left")
    revocations.end_token(TOKEN, 200, "stolen")

    assert revocations.list(150) == [
        Revoked("client:old", "retired"),
        Revoked(SUBJECT, "left", before=100),
        Revoked(TOKEN, "stolen", ends=200),
    ]
    assert [revoked.name for revoked in revocations.list(200)] == ["client:old", SUBJECT]


@pytest.mark.parametrize("name", ["client:old", SUBJECT, TOKEN])
def test_what_was_revoked_can_be_restored_once(database: Database, name: str) -> None:
    revocations = Revocations(database)
    revocations.deny("client:old", "", 5)
    revocations.end(SUBJECT, 100, "")
    revocations.end_token(TOKEN, 200, "")

    assert [revocations.restore(name), revocations.restore(name)] == [True, False]
    keyring = Keys(database).keyring(0)
    assert not keyring.is_over(frozenset({name}), 0)
    assert len(keyring.revoked) + len(keyring.ended) == 2


@pytest.mark.requirement("revocation:shown-once")
def test_of_many_who_show_the_same_at_once_one_is_first(database: Database, tmp_path: Path) -> None:
    stores = [Revocations(Database.open(tmp_path / "gateway.db")) for _ in range(4)]
    begin, firsts = threading.Barrier(len(stores)), list[bool]()

    def show(store: Revocations) -> None:
        begin.wait(10)
        firsts.extend(store.once(f"jti:issuer|{number}", 100) for number in range(10))

    threads = [threading.Thread(target=show, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert (len(firsts), sum(firsts)) == (40, 10)
    before = database.revision()
    Revocations(database).collect(100)
    assert Revocations(database).once("jti:issuer|1", 300)
    assert database.revision() == before


@pytest.mark.requirement("revocation:shown-once")
def test_what_was_shown_and_came_to_nothing_may_be_shown_again(database: Database) -> None:
    revocations = Revocations(database)
    first = [revocations.once(name, 100) for name in ("jti:issuer|1", "jti:issuer|2")]

    revocations.unused("jti:issuer|1")

    assert first == [True, True]
    assert [revocations.once(name, 100) for name in ("jti:issuer|1", "jti:issuer|2")] == [
        True,
        False,
    ]
