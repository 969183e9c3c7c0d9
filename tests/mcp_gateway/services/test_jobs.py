import asyncio
from collections.abc import AsyncIterator

import pytest

from mcp_gateway.services.jobs import Jobs

BOUND = 5.0


@pytest.fixture
async def jobs() -> AsyncIterator[Jobs]:
    made = Jobs(pause=0.02)
    yield made
    await made.aclose()


class Failing:
    """Fails as often as it is told, then goes on for ever."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.well = asyncio.Event()

    async def __call__(self) -> None:
        self.left -= 1
        if self.left >= 0:
            raise ZeroDivisionError
        self.well.set()
        await asyncio.Event().wait()


async def until(jobs: Jobs, failing: dict[str, str]) -> None:
    async with asyncio.timeout(BOUND):
        while dict(jobs.failing) != failing:
            await asyncio.sleep(0.005)


@pytest.mark.requirement("operations:no-job-ends-unseen")
async def test_a_job_that_fails_is_shown_logged_and_begun_anew(
    jobs: Jobs, caplog: pytest.LogCaptureFixture
) -> None:
    job = Failing(2)
    jobs.start("revocations", job)
    await until(jobs, {"revocations": "it failed: ZeroDivisionError"})
    async with asyncio.timeout(BOUND):
        await job.well.wait()
    await until(jobs, {})

    assert caplog.text.count("revocations failed, and is begun anew") == 2


@pytest.mark.requirement("operations:no-job-ends-unseen")
async def test_a_job_that_ends_although_it_should_not_is_shown_too(jobs: Jobs) -> None:
    async def over() -> None:
        return None

    jobs.start("checkpoints", over)
    await until(jobs, {"checkpoints": "it ended"})
    jobs.stop("checkpoints")

    assert dict(jobs.failing) == {}


async def test_a_job_replaces_another_of_its_name(jobs: Jobs) -> None:
    first, second = Failing(0), Failing(0)
    jobs.start("keys", first)
    async with asyncio.timeout(BOUND):
        await first.well.wait()
        jobs.start("keys", second)
        await second.well.wait()

    assert len(jobs._tasks) == 1


async def test_to_stop_what_does_not_run_is_nothing(jobs: Jobs) -> None:
    jobs.stop("never")
