"""What is put away comes back; the file of the store shows none of it."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from mcp_gateway.oauth.keys.local import LocalKek
from mcp_gateway.oauth.ports import Place, SecretLost
from mcp_gateway.oauth.vault import Vault
from mcp_gateway.services import secrets as the_secrets
from mcp_gateway.services.secrets import SealedSecrets
from mcp_gateway.store.database import Database
from mcp_gateway.store.rows import SecretRow
from mcp_gateway.store.secrets import Envelope, Kept, SecretRows

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


NEW = LocalKek(b"n" * 32)


async def _filled(database: Database, places: Sequence[Place]) -> None:
    for place in places:
        await _secrets(database).put(place, {"token": place.principal})


async def _tokens(secrets: SealedSecrets, places: Sequence[Place]) -> list[str]:
    return [(await secrets.get(place))["token"] for place in places]


def _places(count: int) -> list[Place]:
    return [replace(HERE, principal=f"local|p{number:03}") for number in range(count)]


@pytest.mark.requirement("vault:rewrap-goes-on-beside-calls")
async def test_everything_is_wrapped_anew_while_it_is_read_and_written(database: Database) -> None:
    places = _places(120)
    await _filled(database, places)
    secrets = SealedSecrets(Vault([NEW, KEY]), SecretRows(database))
    rewrapping = asyncio.ensure_future(secrets.rewrap())
    while not rewrapping.done():
        assert await secrets.get(places[7]) == {"token": "local|p007"}
        await secrets.put(places[110], {"token": "written meanwhile"})

    made = await rewrapping

    assert (made.key, made.lost) == (NEW.id, 0)
    assert 119 <= made.count <= 120
    assert await secrets.counts() == {NEW.id: 120}
    alone = _secrets(database, NEW)
    assert await alone.get(places[110]) == {"token": "written meanwhile"}
    assert await _tokens(alone, places[:110]) == [place.principal for place in places[:110]]


@pytest.mark.requirement("vault:rewrap-goes-on-beside-calls")
async def test_what_is_cut_off_in_the_middle_is_open_to_both_keys_and_goes_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = _places(20)
    await _filled(database, places)
    rows = SecretRows(database)
    secrets, left = SealedSecrets(Vault([NEW, KEY]), rows), iter("ab")
    whole = rows.rewrap

    def cut_off(made: Sequence[tuple[Kept, Envelope]]) -> int:
        if next(left, "") == "":
            raise ZeroDivisionError
        return whole(made)

    monkeypatch.setattr(the_secrets, "BATCH", 5)
    monkeypatch.setattr(rows, "rewrap", cut_off)
    with pytest.raises(ZeroDivisionError):
        await secrets.rewrap()
    monkeypatch.undo()

    assert await secrets.counts() == {NEW.id: 10, KEY.id: 10}
    assert await _tokens(secrets, places) == [place.principal for place in places]
    assert (await secrets.rewrap()).count == 10


@pytest.mark.requirement("vault:what-is-lost-is-said")
async def test_what_does_not_open_is_counted_and_hinders_no_other(database: Database) -> None:
    await _secrets(database, LocalKek(b"x" * 32)).put(_places(1)[0], {"token": "lost"})
    await _secrets(database).put(_places(2)[1], {"token": "kept"})
    secrets = SealedSecrets(Vault([NEW, KEY]), SecretRows(database))

    made = await secrets.rewrap()

    assert (made.count, made.lost) == (1, 1)
