"""The GET stream of a session, before listens that a test plays."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from mcp_gateway.core.body import Body
from mcp_gateway.core.call import Call, Notify
from mcp_gateway.core.change import Change
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import Current
from mcp_gateway.edge.asgi import Headers
from mcp_gateway.edge.channel import Channel
from mcp_gateway.edge.listening import Listening
from mcp_gateway.edge.standing import Standing, presented
from mcp_gateway.services.attendance import Attendance
from mcp_gateway.services.bulletin import Bulletin
from mcp_gateway.services.listens import METHOD, Listens
from mcp_gateway.stages.resolve import resolve
from tests.support.calls import ALICE, README, call, snapshot
from tests.support.fakes import FakeHandles
from tests.support.waiting import until

SHOWN = presented({}, "/mcp")
UPDATED = b"notifications/resources/updated"


@dataclass
class Session:
    uris: set[str] = field(default_factory=set)
    altered: Callable[[], None] | None = None
    said: list[bytes] = field(default_factory=list)

    def say(self, message: bytes) -> None:
        self.said.append(message)


class Stream:
    """A channel on listens of its own. `refused` lets none begin."""

    def __init__(self, *, refused: bool = False) -> None:
        self.current = Current()
        self.current.swap(snapshot())
        self.bulletin = Bulletin()
        attendance = Attendance(self.bulletin)
        attendance._followed.add("github")
        self.listens = Listens(self.current, attendance, resolve, FakeHandles())
        self.standing = Standing(self.current, lambda: self)
        self.session = Session()
        self.calls: list[Call] = []
        self.refused = refused
        listening = Listening(self.listens, self.standing)
        self.channel = Channel(listening, self.session, self._make, self._answer)

    def again(self, headers: Headers, path: str) -> Principal:
        del headers, path
        return ALICE

    def _make(self, params: Body, notify: Notify) -> Call:
        made = call(METHOD, params.raw, id=str(len(self.calls)), snapshot=self.current.of("acme"))
        made.notify = notify
        self.calls.append(made)
        return made

    async def _answer(self, made: Call) -> None:
        if not self.refused:
            made.target = resolve(made)
            await self.listens.run(made)


@pytest.mark.requirement("listens:for-sessions-too")
async def test_a_session_that_subscribes_to_more_is_listened_for_without_a_gap() -> None:
    stream = Stream()
    running = asyncio.get_running_loop().create_task(stream.channel.run(SHOWN))
    await until(lambda: len(stream.listens) == 1)
    stream.session.uris.add(README.name)
    assert stream.session.altered is not None
    stream.session.altered()
    await until(lambda: len(stream.calls) == 2 and stream.calls[0].facts.get("ended"))
    stream.channel.stop()
    await running

    assert [c.facts["ended"] for c in stream.calls] == ["left", "left"]
    assert stream.session.said == [], "an acknowledgement is nothing that a session knows"
    assert len(stream.listens) == len(stream.standing) == 0


@pytest.mark.requirement("listens:for-sessions-too")
async def test_what_is_told_is_said_on_the_stream() -> None:
    stream = Stream()
    stream.session.uris.add(README.name)
    running = asyncio.get_running_loop().create_task(stream.channel.run(SHOWN))
    await until(lambda: stream.listens._open and next(iter(stream.listens._open.values())).uris)
    stream.bulletin.publish(Change("resource", "github", README.name))
    await until(lambda: stream.session.said)
    stream.channel.stop()
    await running

    assert UPDATED in stream.session.said[0]
    assert b"_meta" not in stream.session.said[0], "no request has asked, so none is named"


async def test_who_may_not_listen_follows_a_stream_on_which_nothing_is_told() -> None:
    stream = Stream(refused=True)
    running = asyncio.get_running_loop().create_task(stream.channel.run(SHOWN))
    await until(lambda: stream.calls)
    for _ in range(5):
        await asyncio.sleep(0)
    still = not running.done()
    stream.channel.stop()
    await running

    assert still
    assert len(stream.calls) == 1
