"""One at a time on one store, and who waits comes after, however the one before ended."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_gateway.core.errors import UpstreamBusy
from mcp_gateway.services.leases import StoredLeases
from mcp_gateway.store.database import Database
from mcp_gateway.store.leases import LeaseRows


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[list[LeaseRows]]:
    """The same file twice, as two processes have it."""
    databases = [Database.open(tmp_path / "gateway.db") for _ in range(2)]
    yield [LeaseRows(database) for database in databases]
    for database in databases:
        database.close()


@pytest.mark.requirement("lease:one-at-a-time")
async def test_two_gateways_on_one_store_never_hold_it_together(stores: list[LeaseRows]) -> None:
    inside, most, done = 0, 0, 0

    async def turn(rows: LeaseRows) -> None:
        nonlocal inside, most, done
        async with StoredLeases(rows).held("refresh", 30):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.01)
            inside -= 1
            done += 1

    async with asyncio.timeout(20):
        await asyncio.gather(*(turn(rows) for rows in stores * 4))

    assert (most, done) == (1, 8)


@pytest.mark.requirement("lease:one-at-a-time")
async def test_what_fails_or_is_cancelled_frees_it(stores: list[LeaseRows]) -> None:
    leases, entered = StoredLeases(stores[0], patience=5), asyncio.Event()

    async def failing() -> None:
        async with leases.held("refresh", 30):
            raise ZeroDivisionError

    async def waiting() -> None:
        async with leases.held("refresh", 30):
            entered.set()
            await asyncio.Event().wait()

    with pytest.raises(ZeroDivisionError):
        await failing()
    task = asyncio.ensure_future(waiting())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    async with leases.held("refresh", 30):
        pass


async def test_who_waits_too_long_is_told_to_call_again(stores: list[LeaseRows]) -> None:
    async with StoredLeases(stores[0]).held("refresh", 30):
        with pytest.raises(UpstreamBusy, match="call again"):
            async with StoredLeases(stores[1], patience=0.1).held("refresh", 30):
                pytest.fail("it was held twice")


@pytest.mark.requirement("lease:one-at-a-time")
async def test_what_was_left_by_a_process_that_died_is_free_after_its_time(
    stores: list[LeaseRows],
) -> None:
    now = 100.0
    stores[0].take("refresh", "dead", now, now + 30)

    async with StoredLeases(stores[1], clock=lambda: now + 30).held("refresh", 30):
        assert not stores[0].free("refresh", now + 31)
