from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from mcp_gateway.store.database import Database
from mcp_gateway.store.secrets import START, Envelope, Key, SecretRows

ADA: Key = ("acme", "local|ada", "github", "delegated")
EVE: Key = ("acme", "local|eve", "github", "delegated")
ANEW = Envelope("newer", b"anew", b"", b"")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database.open(tmp_path / "gateway.db")
    yield made
    made.close()


def _sealed(key_id: str = "k1") -> Callable[[int], Envelope]:
    return lambda version: Envelope(key_id, b"wrapped", b"nonce", b"content %d" % version)


def test_each_place_keeps_its_own_and_counts_its_versions(database: Database) -> None:
    rows = SecretRows(database)

    versions = [
        rows.put(ADA, _sealed(), 1),
        rows.put(ADA, _sealed(), 2),
        rows.put(EVE, _sealed(), 3),
    ]

    assert versions == [1, 2, 1]
    assert rows.get(ADA).envelope.content == b"content 2"
    assert rows.get(EVE).version == 1


def test_what_was_never_there_or_was_dropped_is_not_found(database: Database) -> None:
    rows = SecretRows(database)
    rows.put(ADA, _sealed(), 1)

    rows.drop(ADA)
    rows.drop(EVE)

    for key in (ADA, EVE):
        with pytest.raises(KeyError):
            rows.get(key)


def test_nobody_else_need_hear_of_it(database: Database) -> None:
    rows = SecretRows(database)
    rows.put(ADA, _sealed(), 1)
    rows.rewrap([(rows.get(ADA), ANEW)])
    rows.drop(ADA)

    assert database.revision() == 0


@pytest.mark.requirement("vault:no-write-is-lost")
def test_writes_at_the_same_time_have_a_version_each(database: Database) -> None:
    rows = SecretRows(database)

    with ThreadPoolExecutor(4) as pool:
        versions = list(pool.map(lambda _: rows.put(ADA, _sealed(), 1), range(40)))

    assert sorted(versions) == list(range(1, 41))
    assert rows.get(ADA).envelope.content == b"content 40"


def test_what_cannot_be_sealed_leaves_what_was_there(database: Database) -> None:
    rows = SecretRows(database)
    rows.put(ADA, _sealed(), 1)

    def failing(version: int) -> Envelope:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        rows.put(ADA, failing, 2)

    assert rows.get(ADA).version == 1


def test_what_other_keys_wrapped_is_found_in_batches(database: Database) -> None:
    rows = SecretRows(database)
    keys: list[Key] = [("t", f"p{n:02}", "github", "static") for n in range(7)]
    for n, key in enumerate(keys):
        rows.put(key, _sealed("new" if n == 3 else "old"), 1)

    found, after = list[Key](), START
    while batch := rows.under_others("new", after, 2):
        assert len(batch) <= 2
        found += [kept.key for kept in batch]
        after = batch[-1].key

    assert found == [key for n, key in enumerate(keys) if n != 3]
    assert rows.counts() == {"old": 6, "new": 1}


@pytest.mark.requirement("vault:no-write-is-lost")
def test_what_was_written_meanwhile_is_not_wrapped_over(database: Database) -> None:
    rows = SecretRows(database)
    rows.put(ADA, _sealed("old"), 1)
    before = rows.get(ADA)
    rows.put(ADA, _sealed("new"), 2)

    assert rows.rewrap([(before, ANEW)]) == 0
    assert rows.get(ADA).envelope.wrapped == b"wrapped"
    assert rows.rewrap([(rows.get(ADA), ANEW)]) == 1
    assert rows.get(ADA).envelope == replace(ANEW, nonce=b"nonce", content=b"content 2")
