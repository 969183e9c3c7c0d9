"""Connections are lent one exchange each, never more than so many, and in turn."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from mcp_gateway.wire.connection import Connection
from mcp_gateway.wire.failures import HttpFailed, HttpTimedOut
from mcp_gateway.wire.pool import Pool
from tests.support.tcp import plain
from tests.support.transports import FakeTransport


@dataclass
class Dialed:
    """Makes connections to nowhere; the first `failing` attempts fail."""

    failing: int = 0
    attempts: int = 0
    made: list[Connection] = field(default_factory=list)

    async def __call__(self, pool: Pool, deadline: float) -> Connection:  # noqa: ARG002  # a Dial
        self.attempts += 1
        await asyncio.sleep(0)
        if self.attempts <= self.failing:
            raise HttpFailed("nobody is there")
        connection = Connection(pool, 100)
        FakeTransport(connection)
        self.made.append(connection)
        return connection


@pytest.fixture
def dialed() -> Dialed:
    return Dialed()


@pytest.fixture
async def pool(dialed: Dialed) -> AsyncIterator[Pool]:
    made = Pool(2, dialed)
    yield made
    await made.aclose()


def soon() -> float:
    return asyncio.get_running_loop().time() + 2.0


async def used(connection: Connection, answer: bytes = plain(b"")) -> None:
    """One exchange."""
    asyncio.get_running_loop().call_soon(connection.data_received, answer)
    await connection.exchange(b"", b"", soon(), bodiless=False, streamed=False)


async def in_line(pool: Pool, order: list[int], number: int) -> Connection:
    connection = await pool.lease(soon())
    order.append(number)
    return connection


async def test_a_used_connection_is_lent_again_the_youngest_first(
    pool: Pool, dialed: Dialed
) -> None:
    first, second = await pool.lease(soon()), await pool.lease(soon())
    await used(first)
    await used(second)

    assert await pool.lease(soon()) is second
    assert await pool.lease(soon()) is first
    assert dialed.attempts == 2


@pytest.mark.requirement("http:connections-are-bounded")
async def test_no_more_are_made_than_are_allowed_and_who_waits_is_served_in_turn(
    pool: Pool, dialed: Dialed
) -> None:
    held = [await pool.lease(soon()), await pool.lease(soon())]
    order: list[int] = []
    async with asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(in_line(pool, order, number)) for number in range(6)]
        for _ in range(3):
            await asyncio.sleep(0)
            assert len(dialed.made) == 2
            for connection in held:
                await used(connection)
    assert order == list(range(6))
    assert {task.result() for task in waiting} == set(held)


@pytest.mark.requirement("http:connections-are-bounded")
async def test_who_waits_too_long_is_told_that_nothing_was_sent(pool: Pool) -> None:
    await pool.lease(soon())
    await pool.lease(soon())

    with pytest.raises(HttpTimedOut, match="in use") as failure:
        await pool.lease(asyncio.get_running_loop().time() + 0.05)

    assert not failure.value.sent


async def test_a_lost_connection_makes_room(pool: Pool, dialed: Dialed) -> None:
    held = [await pool.lease(soon()), await pool.lease(soon())]
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(pool.lease(soon()))
        await asyncio.sleep(0)
        held[0].abort()

    assert waiting.result() not in held
    assert len(dialed.made) == 3


async def test_a_dial_that_fails_makes_room(dialed: Dialed) -> None:
    dialed.failing = 1
    pool = Pool(1, dialed)
    first, second = await asyncio.gather(
        pool.lease(soon()), pool.lease(soon()), return_exceptions=True
    )

    assert isinstance(first, HttpFailed)
    assert isinstance(second, Connection)
    await pool.aclose()
    assert pool.unused


async def test_who_gives_up_does_not_take_a_turn_with_them(pool: Pool) -> None:
    held = [await pool.lease(soon()), await pool.lease(soon())]
    order: list[int] = []
    gone = asyncio.ensure_future(in_line(pool, order, 0))
    async with asyncio.TaskGroup() as tasks:
        stays = tasks.create_task(in_line(pool, order, 1))
        await asyncio.sleep(0)
        gone.cancel()
        await used(held[0])

    assert order == [1]
    assert stays.result() is held[0]


async def test_who_gives_up_after_being_served_passes_it_on(pool: Pool) -> None:
    held = [await pool.lease(soon()), await pool.lease(soon())]
    order: list[int] = []
    gone = asyncio.ensure_future(in_line(pool, order, 0))
    async with asyncio.TaskGroup() as tasks:
        stays = tasks.create_task(in_line(pool, order, 1))
        await asyncio.sleep(0)
        pool.released(held[0])
        gone.cancel()

    assert order == [1]
    assert stays.result() is held[0]


async def test_a_right_to_dial_that_nobody_takes_is_passed_on(pool: Pool) -> None:
    held = [await pool.lease(soon()), await pool.lease(soon())]
    order: list[int] = []
    gone = asyncio.ensure_future(in_line(pool, order, 0))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(in_line(pool, order, 1))
        await asyncio.sleep(0)
        pool.lost(held[0])
        gone.cancel()

    assert order == [1]


async def test_a_connection_that_dies_idle_is_not_lent(pool: Pool, dialed: Dialed) -> None:
    first = await pool.lease(soon())
    await used(first)
    first.eof_received()

    assert await pool.lease(soon()) is not first


async def test_a_connection_that_dies_on_its_way_to_who_waited_is_not_lent(pool: Pool) -> None:
    held = [await pool.lease(soon()), await pool.lease(soon())]
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(pool.lease(soon()))
        await asyncio.sleep(0)
        pool.released(held[0])
        held[0].eof_received()

    assert waiting.result() is not held[0]


async def test_a_connection_that_was_idle_too_long_is_closed_by_the_sweep(pool: Pool) -> None:
    old, young = await pool.lease(soon()), await pool.lease(soon())
    await used(old)
    await used(young)
    old.idle_until = 0.0
    pool._sweep()

    assert (old.alive, young.alive) == (False, True)
    assert await pool.lease(soon()) is young


async def test_a_closed_pool_lends_nothing_and_ends_what_it_lent(dialed: Dialed) -> None:
    pool = Pool(1, dialed)
    connection = await pool.lease(soon())
    exchange = asyncio.ensure_future(
        connection.exchange(b"x", b"", soon(), bodiless=False, streamed=False)
    )
    waiting = asyncio.ensure_future(pool.lease(soon()))
    await asyncio.sleep(0)
    await pool.aclose()

    with pytest.raises(HttpFailed, match="client is closed") as failure:
        await exchange
    assert failure.value.sent
    with pytest.raises(HttpFailed, match="client is closed"):
        await waiting
    assert pool.unused


async def test_a_pool_that_is_closed_while_it_dials_keeps_nothing(dialed: Dialed) -> None:
    pool = Pool(1, dialed)
    waiting = asyncio.ensure_future(pool.lease(soon()))
    await asyncio.sleep(0)
    await pool.aclose()

    with pytest.raises(HttpFailed, match="closed as soon as it was made"):
        await waiting
    assert [connection.alive for connection in dialed.made] == [False]


async def test_what_comes_back_to_a_closed_pool_is_ended(dialed: Dialed) -> None:
    pool = Pool(1, dialed)
    connection = await pool.lease(soon())
    pool._closed = True
    await used(connection)

    assert not connection.alive
