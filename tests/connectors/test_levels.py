"""Levels of log messages."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.levels import LEVELS, OFF, Levels, heard, wanted
from mcp_gateway.core.asking import Declared
from mcp_gateway.wire import jsonrpc
from tests.connectors.http import echo


@given(st.sampled_from(LEVELS), st.sampled_from(LEVELS))
@pytest.mark.requirement("upstreams:logs-are-opted-in")
def test_a_message_is_heard_from_the_level_that_was_wanted_up(want: str, says: str) -> None:
    params = jsonrpc.body(jsonrpc.encode({"level": says}))
    expected = LEVELS.index(says) >= LEVELS.index(want)

    assert heard(echo(level=want), params) is expected
    assert heard(echo(declared=Declared(level=want)), params) is expected
    assert not heard(echo(), params)
    assert not heard(echo(declared=Declared()), params)


@pytest.mark.parametrize("level", ["", "verbose", 3, None, ["debug"], {}])
def test_a_level_that_is_none_is_not_wanted_and_not_heard(level: Any) -> None:
    assert wanted(echo(level=level)) == OFF
    assert not heard(echo(level="debug"), jsonrpc.body(jsonrpc.encode({"level": level})))
    assert not heard(echo(level="debug"), jsonrpc.body(b"{}"))


@given(st.lists(st.integers(0, OFF), max_size=20))
async def test_an_upstream_is_told_of_each_lower_level_once(ranks: list[int]) -> None:
    told: list[bytes] = []

    async def tell(params: bytes) -> None:
        await asyncio.sleep(0)
        told.append(params)

    levels = Levels(tell)
    await asyncio.gather(*(levels.lowered(rank) for rank in ranks))

    lows = [LEVELS.index(jsonrpc.decode(params)["level"]) for params in told]
    assert lows == sorted(set(lows), reverse=True)
    assert min([*ranks, OFF]) == min([*lows, OFF])
