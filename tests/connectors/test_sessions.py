"""Sessions: begun once, bounded, and ended when nobody uses them."""

import asyncio
import itertools
from dataclasses import dataclass, field

import pytest

from connectors import abilities
from connectors.abilities import Abilities
from connectors.sessions import Sessions
from mcp_gateway.core.credential import Credential
from mcp_gateway.core.errors import UpstreamBusy, UpstreamFailed
from tests.support.waiting import until

A, B, C = Credential("a"), Credential("b"), Credential("c")


@dataclass
class Session:
    number: int
    used: float = 0.0
    busy: bool = False
    open: bool = True
    ended: int = 0

    async def end(self) -> None:
        self.ended += 1


@dataclass
class Upstream:
    """Begins sessions; `held` keeps them waiting, `broken` fails them."""

    held: asyncio.Event = field(default_factory=asyncio.Event)
    broken: bool = False
    begun: list[Session] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.held.set()
        self._numbers = itertools.count()

    async def begin(self, _: Credential, __: Abilities) -> Session:
        await self.held.wait()
        if self.broken:
            raise UpstreamFailed("up is away")
        session = Session(next(self._numbers))
        self.begun.append(session)
        return session


def sessions(upstream: Upstream, most: int = 8, idle: float = 60.0) -> Sessions[Session]:
    return Sessions("up", upstream.begin, most=most, idle=idle)


async def test_who_comes_at_once_is_given_the_same_session() -> None:
    upstream = Upstream()
    found = sessions(upstream)

    given = await asyncio.gather(*(found.of(A, abilities.NONE) for _ in range(20)))

    assert len(upstream.begun) == 1
    assert {id(session) for session in given} == {id(upstream.begun[0])}
    assert (await found.of(A, abilities.ALL)) is not given[0]
    assert (await found.of(B, abilities.NONE)) is not given[0]
    await found.aclose()


async def test_who_leaves_takes_no_beginning_along() -> None:
    upstream = Upstream()
    upstream.held.clear()
    found = sessions(upstream)
    first, second = (asyncio.ensure_future(found.of(A, abilities.NONE)) for _ in range(2))
    await asyncio.sleep(0)

    first.cancel()
    upstream.held.set()

    assert (await second).number == 0
    await found.aclose()


async def test_a_beginning_that_fails_is_tried_again_by_the_next() -> None:
    upstream = Upstream(broken=True)
    found = sessions(upstream)
    with pytest.raises(UpstreamFailed, match="away"):
        await found.of(A, abilities.NONE)

    upstream.broken = False

    assert (await found.of(A, abilities.NONE)).number == 0
    assert len(found) == 1
    await found.aclose()


@pytest.mark.requirement("sessions:bounded")
async def test_beyond_the_bound_the_longest_unused_is_ended_and_one_in_use_never() -> None:
    upstream = Upstream()
    found = sessions(upstream, most=2)
    first, second = await found.of(A, abilities.NONE), await found.of(B, abilities.NONE)
    first.busy = True

    third = await found.of(C, abilities.NONE)
    await until(lambda: second.ended)
    third.busy = True
    with pytest.raises(UpstreamBusy) as told:
        await found.of(B, abilities.NONE)

    assert (first.ended, second.ended, third.ended) == (0, 1, 0)
    assert told.value.retry_after > 0
    assert len(found) == 2
    await found.aclose()


@pytest.mark.requirement("sessions:bounded")
async def test_one_that_has_only_just_begun_is_left_to_who_waited_for_it() -> None:
    upstream = Upstream()
    found = sessions(upstream, most=1)

    first, second = await asyncio.gather(
        found.of(A, abilities.NONE), _once_begun(upstream, found), return_exceptions=True
    )

    assert isinstance(first, Session)
    assert first.ended == 0
    assert isinstance(second, UpstreamBusy)
    await found.aclose()


async def _once_begun(upstream: Upstream, found: Sessions[Session]) -> Session:
    """Comes in between a beginning and who waits for it."""
    while not upstream.begun:
        await asyncio.sleep(0)
    return await found.of(B, abilities.NONE)


@pytest.mark.requirement("sessions:ended-at-the-upstream")
async def test_a_session_that_nobody_uses_is_ended_and_one_in_use_is_not() -> None:
    upstream = Upstream()
    found = sessions(upstream, idle=0.05)
    unused, used = await found.of(A, abilities.NONE), await found.of(B, abilities.NONE)
    used.busy = True

    await until(lambda: unused.ended)

    assert used.ended == 0
    assert len(found) == 1
    await found.aclose()
    assert (unused.ended, used.ended) == (1, 1)


async def test_a_session_that_is_over_is_begun_anew() -> None:
    upstream = Upstream()
    found = sessions(upstream)
    first = await found.of(A, abilities.NONE)
    first.open = False

    second = await found.of(A, abilities.NONE)

    assert second is not first
    await until(lambda: first.ended)
    await found.aclose()


async def test_one_that_its_upstream_has_ended_is_forgotten_once_and_not_ended_there() -> None:
    upstream = Upstream()
    found = sessions(upstream)
    session = await found.of(A, abilities.NONE)

    assert found.lost(session)
    assert not found.lost(session)

    await found.aclose()
    assert session.ended == 0


async def test_closing_ends_what_is_only_beginning() -> None:
    upstream = Upstream()
    upstream.held.clear()
    found = sessions(upstream)
    waiting = asyncio.ensure_future(found.of(A, abilities.NONE))
    await asyncio.sleep(0)

    await found.aclose()
    await found.aclose()

    with pytest.raises(UpstreamFailed, match="being stopped"):
        await waiting
