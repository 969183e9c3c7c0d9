"""A password opens what is its person's, and says nothing to who guesses."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from mcp_gateway.core.snapshot import Current, Keyring
from mcp_gateway.oauth.ports import LogInRefused
from mcp_gateway.services import passwords
from mcp_gateway.services.passwords import HASHED, WRONG, Passwords, hashed
from mcp_gateway.services.people import KnownPeople
from mcp_gateway.store.database import Database
from mcp_gateway.store.people import PersonRows
from mcp_gateway.store.rows import PersonRow

RIGHT = "correct horse battery"
HASH = hashed(RIGHT)


@dataclass
class World:
    rows: PersonRows
    current: Current
    passwords: Passwords

    def person(self, subject: str, password: str = HASH, tenant: str = "acme") -> PersonRow:
        row = PersonRow(
            id=f"{tenant}-{subject}",
            tenant=tenant,
            issuer="local",
            subject=subject,
            roles="user",
            password=password,
            created=1,
        )
        assert self.rows.add(row)
        return row

    async def refused(self, name: str, password: str, party: str = "192.0.2.1") -> LogInRefused:
        with pytest.raises(LogInRefused) as error:
            await self.passwords.person(name, password, party)
        return error.value


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    database, current = Database.open(tmp_path / "gateway.db"), Current()
    rows = PersonRows(database)
    people = KnownPeople(rows, current)
    yield World(rows, current, Passwords(rows, people, lambda: "acme", lambda: 1000.0))
    database.close()


@pytest.mark.requirement("login:with-a-password")
async def test_who_shows_their_password_is_who_their_api_keys_are(world: World) -> None:
    world.person("ada")

    person = await world.passwords.person("ada", RIGHT, "192.0.2.1")

    assert person.by == "person:acme-ada"
    assert person.principal.identity == "local|ada"
    assert (person.principal.tenant, person.principal.roles) == ("acme", frozenset({"user"}))


@pytest.mark.requirement("login:with-a-password")
async def test_a_password_counts_only_where_somebody_has_one(world: World) -> None:
    assert not await world.passwords.offered()
    world.person("from-a-provider", password="")
    world.person("elsewhere", tenant="other")
    assert not await world.passwords.offered()
    row = world.person("ada")
    assert await world.passwords.offered()
    world.rows.disable(row.id, int(time.time()))
    assert not await world.passwords.offered()


@pytest.mark.requirement("login:nothing-to-learn")
async def test_every_way_to_be_refused_reads_the_same(world: World) -> None:
    world.person("ada")
    world.person("from-a-provider", password="")
    world.person("elsewhere", tenant="other")
    world.rows.disable(world.person("disabled").id, 5)
    world.person("for-good")
    world.current.swap_keyring(Keyring(revoked=frozenset({"subject:local|for-good"})))

    told = [
        await world.refused("ada", "a wrong password"),
        await world.refused("ada", RIGHT.upper()),
        await world.refused("nobody", RIGHT),
        await world.refused("", ""),
        await world.refused("n" * 10_000, "p" * 10_000),
        *[await world.refused(n, RIGHT) for n in ("from-a-provider", "elsewhere", "disabled")],
        await world.refused("for-good", RIGHT),
    ]

    assert {(str(one), one.wait) for one in told} == {(WRONG, 0)}


@pytest.mark.requirement("attack:e2")
@pytest.mark.requirement("login:nothing-to-learn")
async def test_who_does_not_exist_costs_a_look_at_a_password_of_the_same_price(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    checked: Callable[[str, str], str | None] = passwords._checked

    def looking(known: str, password: str) -> str | None:
        looked.append(known)
        return checked(known, password)

    monkeypatch.setattr(passwords, "_checked", looking)
    world.person("ada")
    world.person("from-a-provider", password="")

    for name in ("ada", "nobody", "from-a-provider"):
        await world.refused(name, "a wrong password")

    prices = {known.rsplit("$", 2)[0] for known in looked}
    assert len(looked) == 3
    assert prices == {"$argon2id$v=19$m=65536,t=3,p=1"}


@pytest.mark.requirement("attack:e4")
@pytest.mark.requirement("login:guessing-takes-longer")
async def test_many_guesses_at_once_are_as_few_as_one_after_the_other(world: World) -> None:
    world.person("ada")

    tries = [world.refused("ada", f"guess number {n}") for n in range(12)]
    told = await asyncio.gather(*tries)

    assert [str(one) == WRONG for one in told].count(True) == 5
    assert {one.wait for one in told} == {0, 1}
    assert "Too many attempts" in str(await world.refused("ada", RIGHT))
    assert (await world.passwords.person("ada", RIGHT, "192.0.2.2")).name == "ada"


@pytest.mark.requirement("login:guessing-takes-longer")
async def test_a_name_is_not_guessed_from_everywhere_either(world: World) -> None:
    world.person("ada")
    for n in range(50):
        world.passwords._at_name.begin("ada")
        assert n < 49 or world.passwords._at_name.wait("ada") == 1

    assert (await world.refused("ada", RIGHT, "192.0.2.99")).wait == 1


async def test_whoever_comes_when_many_wait_is_told_to_come_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "WAITING", 4)

    tries = [world.refused(f"n{n}", "x", f"192.0.2.{n}") for n in range(7)]
    told = await asyncio.gather(*tries)

    assert [one.wait for one in told].count(1) == 3


@pytest.mark.requirement("login:with-a-password")
async def test_a_hash_of_other_parameters_is_made_anew_when_its_password_is_shown(
    world: World,
) -> None:
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(RIGHT)
    row = world.person("ada", cheap)

    await world.refused("ada", "a wrong password")
    before = world.rows.at(row.id)
    await world.passwords.person("ada", RIGHT, "192.0.2.1")
    after = world.rows.at(row.id)

    assert before is not None
    assert after is not None
    assert before.password == cheap
    assert after.password.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    assert await world.passwords.person("ada", RIGHT, "192.0.2.1")


def test_a_hash_is_salted_and_of_the_form_that_the_gateway_takes() -> None:
    again = hashed(RIGHT)

    assert again != HASH
    assert re.match(HASHED, again)
    assert RIGHT not in again


@pytest.mark.parametrize("password", ["", "eleven char", "x" * 201])
def test_what_is_too_short_or_too_long_is_no_password_and_is_not_repeated(password: str) -> None:
    with pytest.raises(ValueError, match="12 to 200") as error:
        hashed(password)

    assert not password or password not in str(error.value)


async def test_a_password_is_the_same_however_a_keyboard_composes_it(world: World) -> None:
    world.person("ada", hashed("gru\u0308n wie Gras im Mai"))

    assert await world.passwords.person("ada", "gr\u00fcn wie Gras im Mai", "192.0.2.1")
