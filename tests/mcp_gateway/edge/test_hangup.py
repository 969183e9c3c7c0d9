import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from mcp_gateway.edge import hangup
from mcp_gateway.edge.hangup import Watch


class Caller:
    """What a server tells of one caller: nothing, until they leave."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.asked = 0

    async def receive(self) -> MutableMapping[str, Any]:
        self.asked += 1
        await self.left.wait()
        return {"type": "http.disconnect"}


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hangup, "WATCH_AFTER", 0.001)


@pytest.mark.requirement("edge:hang-up-cancels")
async def test_a_long_call_is_cancelled_when_its_caller_leaves() -> None:
    watch, caller = Watch(), Caller()
    seen: list[bool] = []

    async def call() -> None:
        task = asyncio.current_task()
        assert task
        found = watch.over(caller.receive, task)
        try:
            await asyncio.Event().wait()
        finally:
            seen.append(found.happened)
            found.close()

    task = asyncio.ensure_future(call())
    caller.left.set()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)
    assert seen == [True]


async def test_a_short_call_is_never_watched_and_leaves_no_timer() -> None:
    watch, caller = Watch(), Caller()
    task = asyncio.current_task()
    assert task
    for _ in range(100):
        watch.over(caller.receive, task).close()
    async with asyncio.timeout(5):
        while watch._ticking:
            await asyncio.sleep(0.001)
    assert caller.asked == 0


async def test_a_call_that_ended_is_not_cancelled_by_a_late_hang_up() -> None:
    watch, caller = Watch(), Caller()
    task = asyncio.current_task()
    assert task
    found = watch.over(caller.receive, task)
    async with asyncio.timeout(5):
        while not caller.asked:
            await asyncio.sleep(0.001)
    found.close()
    caller.left.set()
    await asyncio.sleep(0.01)
    assert not found.happened
    assert not task.cancelling()
