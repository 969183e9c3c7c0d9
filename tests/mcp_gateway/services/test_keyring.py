import asyncio
import threading
from pathlib import Path

import pytest

from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import Current, Keyring
from mcp_gateway.services.keyring import KeyringService
from mcp_gateway.store.database import Database
from mcp_gateway.store.keys import Keys
from tests.support import calls

ADA = Principal("local", "ada", "acme")


class Held(Keys):
    """Reads at once, and hands over what it read when it is told to."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.read, self.go = threading.Event(), threading.Event()
        self.go.set()

    def keyring(self, generation: int) -> Keyring:
        found = super().keyring(generation)
        self.read.set()
        assert self.go.wait(5)
        return found


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database.open(tmp_path / "gateway.db")


async def test_the_keys_of_the_moment_are_in_force_for_every_tenant(database: Database) -> None:
    current, keys = Current(), Keys(database)
    current.swap(calls.snapshot())
    key_id, _ = keys.create(ADA, 10)
    await KeyringService(current, database, keys).refresh()

    snapshot = current.of("acme")
    assert snapshot is not None
    assert [key.id for key in snapshot.keyring.keys.values()] == [key_id]
    assert snapshot.keyring is current.keyring
    assert current.keyring.generation == database.revision() == 1


@pytest.mark.requirement("identity:keys-are-revoked-within-a-second")
async def test_what_another_process_changes_is_in_force_within_a_second(
    database: Database, tmp_path: Path
) -> None:
    current, keys = Current(), Keys(database)
    service = KeyringService(current, database, keys)
    key_id, _ = keys.create(ADA, 10)
    await service.refresh()
    following = asyncio.ensure_future(service.follow())
    before = len(current.keyring.keys)
    other = Database.open(tmp_path / "gateway.db")
    await asyncio.to_thread(Keys(other).revoke, key_id, "acme", 20)
    async with asyncio.timeout(1):
        while current.keyring.keys:
            await asyncio.sleep(0.01)

    following.cancel()
    assert before == 1


async def test_what_was_read_first_never_comes_last(database: Database) -> None:
    """Otherwise a key that was revoked meanwhile would be let in again."""
    current, keys = Current(), Held(database)
    service = KeyringService(current, database, keys)
    key_id, _ = keys.create(ADA, 10)
    keys.go.clear()
    slow = asyncio.ensure_future(service.refresh())
    await asyncio.to_thread(keys.read.wait, 5)
    await asyncio.to_thread(keys.revoke, key_id, "acme", 20)
    fast = asyncio.ensure_future(service.refresh())
    await asyncio.sleep(0)
    keys.go.set()
    await asyncio.gather(slow, fast)

    assert not current.keyring.keys
