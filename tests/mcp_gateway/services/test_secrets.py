"""What is put away comes back; the file of the store shows none of it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mcp_gateway.oauth.keys.local import LocalKek
from mcp_gateway.oauth.ports import Place, SecretLost
from mcp_gateway.oauth.vault import Vault
from mcp_gateway.services.secrets import SealedSecrets
from mcp_gateway.store.database import Database
from mcp_gateway.store.rows import SecretRow
from mcp_gateway.store.secrets import SecretRows

KEY = LocalKek(b"k" * 32)
HERE = Place("acme", "local|ada", "github", "delegated")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database.open(tmp_path / "gateway.db")
    yield made
    made.close()


def _secrets(database: Database, key: LocalKek = KEY) -> SealedSecrets:
    return SealedSecrets(Vault([key]), SecretRows(database))


async def test_what_is_put_away_comes_back_also_after_a_restart(database: Database) -> None:
    secrets = _secrets(database)

    versions = [await secrets.put(HERE, {"n": n, "said": "ü\n"}) for n in range(3)]

    assert versions == [1, 2, 3]
    assert await _secrets(database).get(HERE) == {"n": 2, "said": "ü\n"}


async def test_nothing_is_where_nothing_was_put_or_it_was_dropped(database: Database) -> None:
    secrets = _secrets(database)
    await secrets.put(HERE, {"token": "x"})
    await secrets.drop(HERE)

    for place in (HERE, replace(HERE, kind="static")):
        with pytest.raises(KeyError):
            await secrets.get(place)


@pytest.mark.requirement("vault:a-stolen-store-opens-nothing")
async def test_no_file_of_the_store_holds_what_was_put_away(
    database: Database, tmp_path: Path
) -> None:
    secrets = _secrets(database)
    for n in range(50):
        await secrets.put(replace(HERE, principal=f"local|p{n}"), {"token": "marked-secret" * 9})
    await secrets.drop(HERE)

    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    assert {"gateway.db", "gateway.db-wal"} <= set(files)
    assert [name for name, content in files.items() if b"marked" in content] == []
    assert any(b"local|p49" in content for content in files.values())


@pytest.mark.requirement("vault:bound-to-its-place")
@pytest.mark.requirement("attack:b1")
@pytest.mark.parametrize(
    "column",
    [{"tenant": "evil"}, {"principal": "local|eve"}, {"upstream": "own"}, {"kind": "static"}],
)
async def test_a_row_that_is_moved_does_not_open(
    database: Database, column: dict[str, str]
) -> None:
    secrets = _secrets(database)
    await secrets.put(HERE, {"token": "x"})
    with database.quietly() as session:
        row = session.get(SecretRow, ("acme", "local|ada", "github", "delegated"))
        assert row is not None
        session.add(SecretRow(**{**row.model_dump(), **column}))

    with pytest.raises(SecretLost):
        await secrets.get(replace(HERE, **column))  # type: ignore[arg-type]
    assert await secrets.get(HERE) == {"token": "x"}


@pytest.mark.requirement("attack:b1")
async def test_a_row_of_before_does_not_open_as_the_newest(database: Database) -> None:
    secrets, key = _secrets(database), ("acme", "local|ada", "github", "delegated")
    await secrets.put(HERE, {"token": "old"})
    with database.reading() as session:
        old = session.get(SecretRow, key)
        assert old is not None
        before = old.model_dump()
    await secrets.put(HERE, {"token": "new"})
    with database.quietly() as session:
        session.merge(SecretRow(**{**before, "version": 2}))

    with pytest.raises(SecretLost):
        await secrets.get(HERE)


async def test_without_the_key_it_is_lost(database: Database) -> None:
    await _secrets(database).put(HERE, {"token": "x"})

    with pytest.raises(SecretLost):
        await _secrets(database, LocalKek(b"x" * 32)).get(HERE)
