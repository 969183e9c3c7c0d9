"""Whom a log-in stands for is looked up each time: a key in force, or a person of the store."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import ApiKey, Current, Keyring
from mcp_gateway.services.people import KnownPeople
from mcp_gateway.store.database import Database
from mcp_gateway.store.keys import digest_of
from mcp_gateway.store.people import PersonRows
from mcp_gateway.store.rows import PersonRow

DIGEST = digest_of("mcpgw_0a1b_the-key")
BY_KEY = f"key:{DIGEST.hex()}"
ADA = Principal("local", "ada", "acme", client="key:0a1b", roles=frozenset({"user"}))
KEY = ApiKey("0a1b", ADA, expires=2_000, created=100)


@dataclass
class World:
    rows: PersonRows
    current: Current
    people: KnownPeople


@pytest.fixture
def world(tmp_path: Path) -> World:
    rows, current = PersonRows(Database.open(tmp_path / "gateway.db")), Current()
    current.swap_keyring(Keyring({DIGEST: KEY}))
    rows.add(
        PersonRow(
            id="1",
            tenant="acme",
            issuer="https://login.example",
            subject="a-1",
            name="Ada L.",
            roles="ops user",
            created=1,
        )
    )
    return World(rows, current, KnownPeople(rows, current, lambda: 1_000.0))


@pytest.mark.requirement("login:ends")
async def test_a_key_stands_for_its_principal_while_it_is_in_force(world: World) -> None:
    person = await world.people.person(BY_KEY)

    assert person is not None
    assert (person.by, person.principal, person.name) == (BY_KEY, ADA, "ada")
    assert (person.names, person.expires) == (KEY.names, 2_000)
    for over in (Keyring(), Keyring({DIGEST: KEY}, ended={"subject:local|ada": 100})):
        world.current.swap_keyring(over)
        assert await world.people.person(BY_KEY) is None


@pytest.mark.requirement("login:ends")
async def test_a_person_stands_for_themselves_with_the_roles_of_the_moment(world: World) -> None:
    person = await world.people.person("person:1")

    assert person is not None
    who = person.principal
    assert (who.identity, who.tenant) == ("https://login.example|a-1", "acme")
    assert who.roles == frozenset({"ops", "user"})
    assert (person.name, person.names) == (
        "Ada L.",
        frozenset({f"{kind}:https://login.example|a-1" for kind in ("subject", "sessionless")}),
    )


@pytest.mark.requirement("login:ends")
async def test_who_is_disabled_removed_or_revoked_for_good_is_nobody(world: World) -> None:
    for_good = Keyring(revoked=frozenset({"subject:https://login.example|a-1"}))
    world.current.swap_keyring(for_good)
    assert await world.people.person("person:1") is None
    world.current.swap_keyring(Keyring())

    world.rows.disable("1", 5)
    disabled = await world.people.person("person:1")
    world.rows.enable("1")
    enabled = await world.people.person("person:1")
    world.rows.remove("1", 6)
    removed = await world.people.person("person:1")

    assert (disabled, removed) == (None, None)
    assert enabled is not None


@pytest.mark.parametrize("by", ["", "person:", "person:2", "browser:1", "local|ada", "1"])
async def test_what_nobody_logs_in_by_is_nobody(world: World, by: str) -> None:
    assert await world.people.person(by) is None
