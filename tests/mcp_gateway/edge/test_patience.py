import asyncio
from collections.abc import Callable
from functools import partial

import pytest

from mcp_gateway.edge import patience
from mcp_gateway.edge.patience import Patience
from tests.support.waiting import until


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "TICK", 0.001)


class Connection:
    def __init__(self, then: Callable[[], object] = lambda: None) -> None:
        self.times: list[float] = []
        self._then = then

    def tick(self, now: float) -> None:
        self.times.append(now)
        self._then()


async def test_every_connection_is_looked_at_with_the_time_of_now() -> None:
    found, watching = [Connection(), Connection()], Patience()
    watching.watch(asyncio.get_running_loop(), lambda: found)
    begun = watching.now
    await until(lambda: all(len(one.times) > 2 for one in found))
    for one in found:
        assert one.times == sorted(one.times)
        assert begun < one.times[0] <= watching.now
    found.clear()
    await until(lambda: not watching._ticking)


async def test_nothing_ticks_while_there_is_nobody_and_it_begins_anew() -> None:
    found, watching = [Connection()], Patience()
    loop = asyncio.get_running_loop()
    for _ in range(2):
        one = found[0]
        one.times.clear()
        watching.watch(loop, lambda: found)
        watching.watch(loop, lambda: found)
        await until(partial(getattr, one, "times"))
        found.clear()
        await until(lambda: not watching._ticking)
        found.append(one)


async def test_a_look_that_fails_ends_neither_the_others_nor_the_next() -> None:
    def fail() -> None:
        raise RuntimeError("one")

    loop = asyncio.get_running_loop()
    told: list[object] = []
    loop.set_exception_handler(lambda _, context: told.append(context["exception"]))
    found, watching = [Connection(fail), Connection()], Patience()
    watching.watch(loop, lambda: found)
    await until(lambda: all(len(one.times) > 2 for one in found))
    found.clear()
    await until(lambda: not watching._ticking)
    loop.set_exception_handler(None)
    assert str(told[0]) == "one"


async def test_a_new_loop_has_looks_of_its_own() -> None:
    one, watching = Connection(), Patience()
    found = [one]

    async def elsewhere() -> None:
        watching.watch(asyncio.get_running_loop(), lambda: found)
        await until(lambda: one.times)

    await asyncio.to_thread(asyncio.run, elsewhere())  # that loop ends in the middle
    one.times.clear()
    watching.watch(asyncio.get_running_loop(), lambda: found)
    await until(lambda: one.times)
    found.clear()
    await until(lambda: not watching._ticking)
