"""A result that is too large to be held, in a session: for who is there, and not kept for later."""

import asyncio

import pytest

from mcp_gateway.core.body import Body, Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.errors import ResultTooLarge
from mcp_gateway.edge import hangup
from mcp_gateway.edge.pulse import Pulse
from mcp_gateway.wire import legacy
from tests.support.edge import EdgeUnderTest
from tests.support.fakes import FakeStream
from tests.support.legacy_client import LegacyClient
from tests.support.waiting import until

NOTE = b'{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1}}'
PIECES = (b'{"resultType":"complete",', b'"content":[', b'"x"]}')


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hangup, "WATCH_AFTER", 0.001)


@pytest.mark.requirement("streams:large-results-pass")
@pytest.mark.parametrize("revision", legacy.REVISIONS)
async def test_it_passes_on_a_stream_that_has_begun_and_is_not_kept(revision: str) -> None:
    edge = EdgeUnderTest()
    client = await LegacyClient.begun(edge, revision)

    async def chain(call: Call) -> Result:
        await call.notify(Body(NOTE))
        return Body(b"", stream=FakeStream(PIECES))

    edge.chain = chain
    said = await client.call(7).task
    first = next(line[4:] for line in said.body.split(b"\n") if line.startswith(b"id: "))
    late = await client.get(first).answered()

    assert said.events()[-1] == {"jsonrpc": "2.0", "id": 7, "result": {"content": ["x"]}}
    assert said.whole
    assert late["id"] == 7
    assert late["error"]["code"] == ResultTooLarge.code


@pytest.mark.requirement("streams:keep-alives")
async def test_signs_of_life_are_no_events_of_a_session() -> None:
    edge = EdgeUnderTest()
    edge.app.pulse = Pulse(0.02)
    client = await LegacyClient.begun(edge, legacy.REVISIONS[0])
    going = asyncio.Event()

    async def chain(call: Call) -> Result:
        await call.notify(Body(NOTE))
        await going.wait()
        return Body(b'{"content":[]}')

    edge.chain = chain
    under_way = client.call(7)
    await until(lambda: under_way.exchange.answered.body.count(b":\n\n") >= 3)
    going.set()
    said = await under_way.task

    assert [event.get("id") for event in said.events()] == [None, 7]
    assert said.body.count(b"id: ") == 2


@pytest.mark.requirement("streams:keep-alives")
async def test_a_quiet_stream_of_a_session_has_signs_of_life_too() -> None:
    edge = EdgeUnderTest()
    edge.app.pulse = Pulse(0.02)
    client = await LegacyClient.begun(edge, legacy.LATEST)

    following = client.get()
    await until(lambda: following.exchange.answered.body.count(b":\n\n") >= 3)
    following.exchange.hang_up.set()
    said = await following.task

    assert said.header(b"content-type") == b"text/event-stream"
    assert not edge.app.pulse._all
