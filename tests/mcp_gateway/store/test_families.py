"""Refresh tokens take turns, and what ended is renewed by no process."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mcp_gateway.store.authorization import Authorizations
from mcp_gateway.store.database import Database
from mcp_gateway.store.families import Families, Turned
from mcp_gateway.store.keys import Keys
from mcp_gateway.store.revocations import Revocations
from mcp_gateway.store.rows import FamilyRow, RefreshRow
from tests.mcp_gateway.store.test_authorization import NOW, at_once, code


@dataclass
class World:
    databases: list[Database]
    now: float = NOW
    kept: list[Families] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.kept = [Families(database, lambda: self.now) for database in self.databases]

    def turn(self, digest: str, following: str, process: int = 0, **changes: float) -> Turned:
        grace = changes.get("grace", 10.0)
        return self.kept[process].turn(digest, "c1", following, 1000, grace)

    def end(self) -> bool:
        return Revocations(self.databases[0]).end_family("f1", int(self.now), NOW + 900, "over")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A family that a code brought, in one store that two processes have open."""
    databases = [Database.open(tmp_path / "gateway.db") for _ in range(2)]
    made = World(databases)
    codes = Authorizations(databases[0], lambda: NOW)
    codes.issue(code())
    codes.redeem("k1")
    assert made.kept[0].begin("k1", family(), refresh())
    yield made
    for database in databases:
        database.close()


def family(id_: str = "f1", ends: int = NOW + 5000) -> FamilyRow:
    return FamilyRow(
        id=id_,
        person="person:p1",
        client="c1",
        resource="https://gw.example/mcp",
        scopes="mcp offline_access",
        created=NOW,
        ends=ends,
    )


def refresh(digest: str = "t0", family_: str = "f1", ends: int = NOW + 1000) -> RefreshRow:
    return RefreshRow(digest=digest, family=family_, created=NOW, ends=ends)


@pytest.mark.requirement("attack:d20")
def test_nothing_comes_of_a_code_that_came_twice_meanwhile_nor_of_one_that_is_unknown(
    world: World,
) -> None:
    codes = Authorizations(world.databases[1], lambda: NOW)
    codes.issue(code("k2"))
    codes.redeem("k2")
    codes.redeem("k2")

    assert not world.kept[0].begin("k2", family("f2"), refresh("t2", "f2"))
    assert not world.kept[0].begin("k3", family("f2"), refresh("t2", "f2"))
    assert world.kept[0].find("f2") is None
    assert world.kept[0].of_refresh("t2") is None


def test_the_next_token_takes_the_place_of_the_one_that_was_used(world: World) -> None:
    assert [world.turn("t0", "t1").turn, world.turn("t1", "t2").turn] == ["turned"] * 2

    found = world.kept[1].of_refresh("t2")

    assert found
    assert (found[0].id, found[1].ends, found[1].used) == ("f1", NOW + 1000, 0)


@pytest.mark.requirement("authorization:refresh-in-turn")
def test_two_processes_refresh_at_once_and_both_get_tokens_of_the_family(world: World) -> None:
    turned = at_once(lambda: world.turn("t0", "a", 0), lambda: world.turn("t0", "b", 1))

    assert [one.turn for one in turned] == ["turned", "turned"]
    assert {one.family.id for one in turned if one.family} == {"f1"}


@pytest.mark.requirement("attack:d22")
def test_without_grace_one_of_two_wins(world: World) -> None:
    turned = at_once(
        lambda: world.turn("t0", "a", 0, grace=0), lambda: world.turn("t0", "b", 1, grace=0)
    )

    assert sorted(one.turn for one in turned) == ["reused", "turned"]


@pytest.mark.requirement("attack:d22")
@pytest.mark.parametrize(
    ("first", "later", "turn"),
    [(0.9, 9.99, "turned"), (0.9, 10.0, "reused"), (0.0, 9.99, "turned"), (0.1, 500, "reused")],
)
def test_a_token_comes_again_within_the_grace_of_its_first_use_and_not_a_moment_later(
    world: World, first: float, later: float, turn: str
) -> None:
    world.now = NOW + first
    world.turn("t0", "t1")
    world.now += later / 2
    world.turn("t0", "t2")
    world.now = NOW + first + later

    assert world.turn("t0", "t3", 1).turn == turn


@pytest.mark.requirement("attack:d23")
def test_another_clients_token_turns_nothing(world: World) -> None:
    assert world.kept[1].turn("t0", "c2", "t1", 1000, 10).turn == "unknown"
    assert world.kept[1].turn("t9", "c1", "t1", 1000, 10).turn == "unknown"

    assert world.turn("t0", "t1").turn == "turned"


def test_a_token_that_waited_too_long_and_a_family_of_its_age_are_over(world: World) -> None:
    world.now = NOW + 999
    assert world.turn("t0", "t1").turn == "turned"
    world.now = NOW + 1999
    assert world.turn("t1", "t2").turn == "over"
    with world.databases[0].quietly() as session:
        session.add(refresh("t9", ends=NOW + 9000))
    world.now = NOW + 5000
    assert world.turn("t9", "t10").turn == "over"


def test_no_token_outlives_its_family(world: World) -> None:
    world.now = NOW + 900
    for n in range(5):
        world.turn(f"t{n}", f"t{n + 1}")
        world.now += 900

    found = world.kept[0].of_refresh("t5")

    assert found
    assert found[1].ends == NOW + 5000


@pytest.mark.requirement("attack:d21")
def test_what_ended_is_renewed_by_nobody_and_is_in_the_keyring_with_it(world: World) -> None:
    revision = world.databases[1].revision()
    ended = [world.end(), world.end()]

    keyring = Keys(world.databases[1]).keyring(0)

    assert ended == [True, False]
    assert world.turn("t0", "t1", 1).turn == "over"
    assert keyring.is_over(frozenset({"family:f1"}), NOW + 899)
    assert world.databases[1].revision() == revision + 1
    assert not Revocations(world.databases[0]).end_family("f9", NOW, NOW + 900, "unknown")
    Revocations(world.databases[0]).collect(NOW + 900)
    assert not Keys(world.databases[1]).keyring(0).revoked


def test_a_family_is_forgotten_some_time_after_it_is_over_with_what_renewed_it(
    world: World,
) -> None:
    with world.databases[0].quietly() as session:
        session.add(family("old", NOW - 101))
        session.add(refresh("o1", "old", NOW + 1))
        session.add(family("revoked"))
        session.add(refresh("r1", "revoked", NOW + 1))
        session.add(refresh("waited", "f1", NOW - 101))
    Revocations(world.databases[0]).end_family("revoked", NOW - 101, NOW, "over")
    world.kept[0].forget(100)

    there = [world.kept[0].of_refresh(digest) is not None for digest in ("o1", "r1", "waited")]

    assert there == [False] * 3
    assert world.kept[0].find("old") is world.kept[0].find("revoked") is None
    assert world.kept[0].of_refresh("t0") is not None
