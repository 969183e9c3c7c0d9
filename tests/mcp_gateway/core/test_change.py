"""What changed, and who wants to hear of it."""

import asyncio

from mcp_gateway.core.change import Change, Interest


def test_two_announcements_of_one_thing_are_alike() -> None:
    assert Change("resource", "files", "file:///a") == Change("resource", "files", "file:///a")
    assert Change("tools", "files") != Change("tools", "clock")


async def test_who_attends_hears_that_the_interest_changed() -> None:
    interest = Interest()
    waiting = asyncio.ensure_future(interest.altered.wait())
    interest.uris |= {"file:///a"}
    interest.altered.set()

    async with asyncio.timeout(5):
        await waiting
    assert Interest().uris == frozenset()
