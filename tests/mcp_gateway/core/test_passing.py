"""A stream that passes through something is read, held and closed as the one within."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from mcp_gateway.core.body import Streaming
from mcp_gateway.core.passing import Passing
from tests.support.fakes import FakeStream


async def doubled(inner: Streaming) -> AsyncGenerator[bytes, None]:
    async with aclosing(inner.chunks()) as pieces:
        async for piece in pieces:
            yield piece * 2


async def test_its_pieces_are_what_comes_through() -> None:
    inner = FakeStream([b"a", b"b"], failed=True)
    passing = Passing(inner, doubled)

    assert [piece async for piece in passing.chunks()] == [b"aa", b"bb"]
    assert passing.failed
    assert await passing.whole(10) == b"ab"


@pytest.mark.parametrize("how", ["read", "left", "broken", "never begun"])
async def test_its_end_is_told_once_whichever_it_is(how: str) -> None:
    ends: list[str] = []
    inner = FakeStream([b"a", b"b"], breaks=ValueError("it broke") if how == "broken" else None)
    passing = Passing(inner, ended=lambda: ends.append(how))

    try:
        async with aclosing(passing.chunks()) as pieces:
            if how != "never begun":
                async for _ in pieces:
                    if how == "left":
                        break
    except ValueError:
        assert how == "broken"
    await passing.aclose()

    assert ends == [how]
    assert inner.closed
