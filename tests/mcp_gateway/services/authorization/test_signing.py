"""All processes on a store sign with one key, which verifies wherever its tokens are shown."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, KeySet

from mcp_gateway.core.errors import Overloaded
from mcp_gateway.oauth.keys.local import LocalKek
from mcp_gateway.oauth.vault import Vault
from mcp_gateway.services.authorization.signing import AHEAD, KEPT, SIGNS, Signing
from mcp_gateway.services.leases import StoredLeases
from mcp_gateway.services.secrets import SealedSecrets
from mcp_gateway.store.database import Database
from mcp_gateway.store.leases import LeaseRows
from mcp_gateway.store.secrets import SecretRows
from mcp_gateway.store.signing import SigningKeys
from tests.support.fakes import FakeLedger

KEK = b"k" * 32
NOW = 1_700_000_000


@dataclass
class World:
    databases: list[Database]
    now: float = NOW
    ledger: FakeLedger = field(default_factory=FakeLedger)

    def process(self, number: int = 0, kek: bytes = KEK) -> Signing:
        """One that was just started."""
        database = self.databases[number]
        return Signing(
            SigningKeys(database),
            SealedSecrets(Vault([LocalKek(kek)]), SecretRows(database)),
            StoredLeases(LeaseRows(database)),
            self.ledger,
            lambda: self.now,
        )


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    databases = [Database.open(tmp_path / "gateway.db") for _ in range(2)]
    yield World(databases)
    for database in databases:
        database.close()


def kids(keys: KeySet) -> list[str]:
    return [str(key.kid) for key in keys.keys]


def verifies(key: ECKey, public: KeySet) -> bool:
    signed = jws.serialize_compact({"alg": "ES256", "kid": key.kid}, b"said", key)
    return jws.deserialize_compact(signed, public, algorithms=["ES256"]).payload == b"said"


@pytest.mark.requirement("signing:one-key")
async def test_two_processes_that_start_at_once_sign_with_one_key(world: World) -> None:
    first, second = world.process(0), world.process(1)

    keys = await asyncio.gather(first.key(), second.key())

    assert keys[0].thumbprint() == keys[1].thumbprint()
    assert world.ledger.kinds == ["signing.rotated"]
    await second.look_again()
    assert verifies(keys[0], second.public())


@pytest.mark.requirement("signing:one-key")
async def test_the_key_is_the_same_after_a_restart(world: World) -> None:
    before = await world.process().key()

    assert (await world.process(1).key()).thumbprint() == before.thumbprint()


@pytest.mark.requirement("signing:rotated")
async def test_the_next_key_is_published_a_day_before_it_signs_and_the_old_one_kept_for_its_tokens(
    world: World,
) -> None:
    signing, other = world.process(0), world.process(1)
    await signing.look_again()
    old = await signing.key()

    world.now = NOW + SIGNS - AHEAD - 1
    await signing.look_again()
    assert kids(signing.public()) == [old.kid]
    world.now += 1
    await signing.look_again()
    await other.look_again()
    assert kids(other.public()) == kids(signing.public())
    assert len(kids(signing.public())) == 2
    assert (await other.key()).kid == old.kid

    world.now = NOW + SIGNS
    new = await signing.key()
    assert new.kid == kids(other.public())[1]
    assert verifies(new, other.public())

    world.now += KEPT
    await signing.look_again()
    assert old.kid in kids(signing.public())
    world.now += 1
    for process in (other, signing, other):
        await process.look_again()
    assert kids(signing.public()) == kids(other.public()) == [new.kid]


@pytest.mark.requirement("signing:rotated")
async def test_after_a_long_rest_the_old_key_signs_until_the_next_one_was_published_for_a_day(
    world: World,
) -> None:
    old = await world.process().key()
    world.now = NOW + 3 * SIGNS
    signing = world.process()

    await signing.look_again()

    assert (await signing.key()).kid == old.kid
    assert len(kids(signing.public())) == 2
    world.now += AHEAD
    assert (await signing.key()).kid == kids(signing.public())[1]


@pytest.mark.requirement("signing:rotated")
async def test_who_verifies_is_told_of_every_key_at_once_and_when_they_change(
    world: World,
) -> None:
    signing, heard = world.process(), list[list[str]]()
    signing.tell(lambda keys: heard.append(kids(keys)))
    assert heard == []

    key = await signing.key()
    await signing.look_again()
    signing.tell(lambda keys: heard.append(kids(keys)))

    assert heard == [[key.kid]] * 2


@pytest.mark.requirement("signing:sealed")
async def test_the_private_half_is_in_no_file_and_in_nothing_that_is_published(
    world: World, tmp_path: Path
) -> None:
    signing = world.process()
    private = str((await signing.key()).as_dict(private=True)["d"])

    files = b"".join(path.read_bytes() for path in tmp_path.iterdir())

    assert kids(signing.public())[0].encode() in files
    assert private.encode() not in files
    assert private not in str(signing.public().as_dict()) + str(world.ledger.entries)


@pytest.mark.requirement("signing:lost")
async def test_a_key_that_does_not_open_is_replaced_and_its_tokens_are_good_until_they_end(
    world: World,
) -> None:
    lost = await world.process().key()
    world.now += 60
    first, second = world.process(0, b"n" * 32), world.process(1, b"n" * 32)

    keys = await asyncio.gather(first.key(), second.key())

    assert keys[0].thumbprint() == keys[1].thumbprint()
    assert keys[0].kid != lost.kid
    await first.look_again()
    assert verifies(lost, first.public())
    assert world.ledger.kinds == ["signing.rotated"] * 2


@pytest.mark.requirement("signing:lost")
async def test_a_key_that_was_lost_while_the_next_was_announced_is_replaced_at_once(
    world: World,
) -> None:
    await world.process().look_again()
    world.now = NOW + SIGNS - AHEAD
    await world.process().look_again()
    (old, following) = kids_of(world)

    key = await world.process(0, b"n" * 32).key()

    assert key.kid not in {old, following}
    assert kids_of(world) == [old, key.kid, following]


def kids_of(world: World) -> list[str]:
    return [row.kid for row in SigningKeys(world.databases[0]).all()]


async def test_a_key_that_cannot_be_recorded_is_not_made(world: World) -> None:
    world.ledger.broken = {"signing.rotated"}
    signing = world.process()

    with pytest.raises(Overloaded):
        await signing.key()
    assert kids_of(world) == []
    world.ledger.broken = set()

    assert (await signing.key()).kid == kids_of(world)[0]
