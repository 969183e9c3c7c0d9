"""What an upstream asks, and what an answer continues: values that say nothing by default."""

import asyncio

import pytest

from mcp_gateway.core.asking import (
    AFRESH,
    ASKING,
    NOT_OFFERED,
    QUESTIONS,
    Asked,
    Resumed,
    given_up,
)
from mcp_gateway.wire.modern import NAME_OF
from tests.support.fakes import FakeParked


def test_what_continues_nothing_names_nothing() -> None:
    assert Resumed() == AFRESH
    assert not any(getattr(AFRESH, name) for name in AFRESH.__slots__)


def test_an_upstream_that_was_never_asked_offered_nothing() -> None:
    assert (NOT_OFFERED.era, NOT_OFFERED.capabilities) == ("", None)


def test_a_question_is_none_of_the_requests_that_may_ask() -> None:
    assert ASKING.isdisjoint(QUESTIONS)
    assert set(NAME_OF) >= ASKING


def test_nobody_waits_for_what_a_stateless_upstream_asks() -> None:
    assert Asked({}).parked is None


async def test_what_is_given_up_is_abandoned_though_its_task_is_being_cancelled() -> None:
    parked = FakeParked()
    giving = asyncio.ensure_future(given_up(parked, 5))
    await asyncio.sleep(0)

    giving.cancel()
    await asyncio.gather(giving, return_exceptions=True)
    await asyncio.sleep(0)

    assert parked.abandoned == 1


async def test_an_upstream_that_takes_no_notice_or_fails_holds_nobody_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Stubborn(FakeParked):
        async def abandon(self) -> None:
            await asyncio.Event().wait()

    class Gone(FakeParked):
        async def abandon(self) -> None:
            raise ConnectionResetError

    async with asyncio.timeout(5):
        await given_up(Stubborn(), 0.01)
        await given_up(Gone(), 5)

    assert "ConnectionResetError" in caplog.text
