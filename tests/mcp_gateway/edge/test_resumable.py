"""A stream of a session outlives the connection that carried it."""

import asyncio
from typing import Any

import pytest

from mcp_gateway.config import SessionsSection
from mcp_gateway.core.body import Body, Result
from mcp_gateway.core.call import Call
from mcp_gateway.edge import hangup
from mcp_gateway.wire import legacy
from tests.support.asgi import Answered
from tests.support.edge import BOB, EdgeUnderTest
from tests.support.legacy_client import DONE, NAME, LegacyClient, Rounds, asking

OLDER = legacy.REVISIONS[:-1]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hangup, "WATCH_AFTER", 0.001)


def _ids(said: Answered) -> list[bytes]:
    return [line[4:] for line in said.body.split(b"\n") if line.startswith(b"id: ")]


class Working:
    """A chain that says a step for each `step()`, and answers when it is told to."""

    def __init__(self, edge: EdgeUnderTest, *, left: bool = True) -> None:
        """`left`: the call has left for its upstream."""
        self._left = left
        self._steps: asyncio.Queue[bool] = asyncio.Queue()
        edge.chain = self._chain

    def step(self) -> None:
        self._steps.put_nowait(True)

    def finish(self) -> None:
        self._steps.put_nowait(False)

    async def _chain(self, call: Call) -> Result:
        call.attempts = int(self._left)
        number = 0
        while await self._steps.get():
            number += 1
            params = b'{"progressToken":1,"progress":%d}' % number
            note = b'{"jsonrpc":"2.0","method":"notifications/progress","params":%b}' % params
            await call.notify(Body(note))
        return DONE


def _steps(said: Answered) -> list[Any]:
    return [e["params"]["progress"] if "params" in e else "answer" for e in said.events()]


@pytest.mark.requirement("edge:streams-are-resumed")
@pytest.mark.parametrize("revision", legacy.REVISIONS)
async def test_a_stream_that_broke_is_resumed_after_the_last_event(revision: str) -> None:
    edge = EdgeUnderTest()
    client, working = await LegacyClient.begun(edge, revision), Working(edge)
    under_way = client.call(7)
    for _ in range(2):
        working.step()
    first = (await under_way.exchange.until(lambda said: len(said.events()) == 2 and _ids(said)))[
        -2
    ]

    resumed = client.get(first)
    await resumed.exchange.until(lambda said: len(said.events()) == 1)
    working.step()
    working.finish()
    answer = await resumed.answered()
    left = await under_way.task

    assert _steps(resumed.exchange.answered) == [2, 3, "answer"]
    assert answer == {"jsonrpc": "2.0", "id": 7, "result": {"content": []}}
    assert _steps(left) == [1, 2], "each message leaves on one connection"
    assert left.whole


@pytest.mark.requirement("edge:streams-are-resumed")
async def test_who_hung_up_finds_the_answer_when_they_come_back() -> None:
    edge = EdgeUnderTest()
    client, working = await LegacyClient.begun(edge), Working(edge)
    under_way = client.call(7)
    working.step()
    id_ = (await under_way.exchange.until(lambda said: said.events() and _ids(said)))[-1]
    under_way.exchange.hang_up.set()
    working.finish()
    await under_way.task

    again = await client.get(id_).answered()
    twice = await client.get(id_).answered()

    assert again == twice == {"jsonrpc": "2.0", "id": 7, "result": {"content": []}}


@pytest.mark.requirement("edge:streams-are-resumed")
async def test_a_stream_is_resumed_in_its_own_session_alone() -> None:
    edge = EdgeUnderTest()
    client, working = await LegacyClient.begun(edge), Working(edge)
    another, bob = await LegacyClient.begun(edge), LegacyClient(edge, client.session, BOB)
    under_way = client.call(7)
    working.step()
    id_ = (await under_way.exchange.until(lambda said: said.events() and _ids(said)))[-1]

    elsewhere = await another.get(id_).task
    by_bob = await bob.get(id_).task
    unknown = await client.get(b"0123456789abcdef-1").task
    nonsense = await client.get(b"\xff\x00").task
    working.finish()
    await under_way.task

    statuses = [a.status for a in (elsewhere, by_bob, unknown, nonsense)]
    assert statuses == [400, 404, 400, 400]
    assert all(b"progress" not in a.body for a in (elsewhere, by_bob, unknown, nonsense))


@pytest.mark.requirement("edge:streams-are-polled")
async def test_a_long_call_of_the_latest_revision_begins_with_an_event_to_come_back_to() -> None:
    edge = EdgeUnderTest()
    client, working = await LegacyClient.begun(edge), Working(edge)

    under_way = client.call(7)
    first = await under_way.exchange.until(lambda said: said.parts)
    working.finish()
    answered = await under_way.task

    lines = first[0].split(b"\n")
    assert [line.split(b":")[0] for line in lines] == [b"id", b"retry", b"data", b"", b""]
    assert lines[2] == b"data: "
    assert _ids(answered) == [_ids(answered)[0], _ids(answered)[0].replace(b"-0", b"-1")]
    assert answered.events()[-1]["id"] == 7


@pytest.mark.requirement("edge:streams-are-polled")
@pytest.mark.parametrize("revision", OLDER)
async def test_an_earlier_revision_gets_no_event_without_data(revision: str) -> None:
    edge = EdgeUnderTest()
    client, working = await LegacyClient.begun(edge, revision), Working(edge)
    under_way = client.call(7)
    for _ in range(3):
        await _ticked(edge)
    quiet = list(under_way.exchange.answered.parts)
    working.step()
    working.finish()
    answered = await under_way.task

    assert quiet == []
    assert b"data: \n" not in answered.body
    assert b"retry:" not in answered.body
    assert _steps(answered) == [1, "answer"]


async def _ticked(edge: EdgeUnderTest) -> None:
    """Until a call that begins now would have been watched."""
    seen = asyncio.Event()

    class Seen(hangup.Watched):
        def watch(self) -> None:
            seen.set()

    edge.app.watch.add(Seen())
    await asyncio.wait_for(seen.wait(), 5)
    await asyncio.sleep(0)


@pytest.mark.requirement("edge:streams-are-polled")
@pytest.mark.parametrize("accept", [b"application/json", b"-"])
async def test_who_takes_no_streams_waits_for_the_answer(accept: bytes) -> None:
    edge = EdgeUnderTest()
    client, working = await LegacyClient.begun(edge), Working(edge)
    under_way = client.call(7, headers=[(b"accept", accept)])
    for _ in range(3):
        await _ticked(edge)
    working.finish()

    assert (await under_way.task).json()["id"] == 7


@pytest.mark.requirement("edge:streams-are-polled")
async def test_nothing_begins_before_a_call_has_left_since_a_refusal_has_a_status() -> None:
    edge = EdgeUnderTest()
    client, working = await LegacyClient.begun(edge), Working(edge, left=False)
    under_way = client.call(7)
    for _ in range(3):
        await _ticked(edge)
    working.finish()
    answered = await under_way.task

    assert answered.header(b"content-type") == b"application/json"


async def test_a_call_that_answers_at_once_is_plain_json() -> None:
    edge = EdgeUnderTest()
    client = await LegacyClient.begun(edge)

    answered = await client.call(7).task

    assert answered.header(b"content-type") == b"application/json"


@pytest.mark.requirement("edge:streams-are-polled")
async def test_where_streams_are_released_an_answer_that_comes_at_once_can_be_come_back_to() -> (
    None
):
    edge = EdgeUnderTest()
    edge.sessions.settings = SessionsSection(release_after=60)
    client = await LegacyClient.begun(edge)
    older = await LegacyClient.begun(edge, "2025-06-18")

    answered = await client.call(7).task
    again = await client.get(_ids(answered)[0]).answered()
    plain = await older.call(7).task

    assert answered.events() == [again]
    assert again["id"] == 7
    assert plain.json()["id"] == 7


@pytest.mark.requirement("edge:streams-are-polled")
async def test_a_long_call_is_released_and_polled() -> None:
    edge = EdgeUnderTest()
    edge.sessions.settings = SessionsSection(release_after=0.001)
    client, working = await LegacyClient.begun(edge), Working(edge)
    under_way = client.call(7)
    released = await under_way.exchange.until(lambda said: said.whole and said)

    polling = client.get(_ids(released)[0])
    await polling.exchange.until(lambda said: said.parts)
    working.step()
    working.finish()
    answer = await polling.answered()
    await under_way.task

    assert released.events() == []
    assert _steps(polling.exchange.answered) == [1, "answer"]
    assert answer["id"] == 7


@pytest.mark.requirement("edge:streams-are-resumed")
async def test_what_was_asked_on_a_stream_that_broke_is_asked_again_on_the_next() -> None:
    edge = EdgeUnderTest()
    Rounds(edge, asking(one=NAME), DONE)
    client = await LegacyClient.begun(edge)
    under_way = client.call(7)
    asked = await under_way.asked()
    begun = _ids(under_way.exchange.answered)[0]

    resumed = client.get(begun)
    again = await resumed.asked()
    await client.answer(again["id"], {"action": "accept"})

    assert again == asked
    assert (await resumed.answered())["id"] == 7


@pytest.mark.requirement("edge:streams-are-resumed")
async def test_whoever_comes_later_takes_the_place_of_an_earlier_reader() -> None:
    edge = EdgeUnderTest()
    client = await LegacyClient.begun(edge)
    session = edge.sessions.find(client.session.decode(), client.principal, "")
    assert session
    first = client.get()
    await first.exchange.until(lambda said: said.parts)
    second = client.get()
    await second.exchange.until(lambda said: said.parts)

    session.say(b'{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}')
    heard = await second.said("notifications/tools/list_changed")
    edge.sessions.close_channels()

    assert heard["jsonrpc"] == "2.0"
    assert (await first.task).events() == []
    assert (await second.task).whole


@pytest.mark.requirement("edge:streams-are-resumed")
async def test_what_is_said_while_a_listener_is_away_is_heard_when_it_comes_back() -> None:
    edge = EdgeUnderTest()
    client = await LegacyClient.begun(edge, "2025-06-18")
    session = edge.sessions.find(client.session.decode(), client.principal, "")
    assert session
    session.say(b'{"jsonrpc":"2.0","method":"before/anybody"}')
    listening = client.get()
    await listening.exchange.until(lambda said: said.parts)
    session.say(b'{"jsonrpc":"2.0","method":"one"}')
    await listening.said("one")
    last = _ids(listening.exchange.answered)[-1]
    listening.exchange.hang_up.set()
    await listening.task
    session.say(b'{"jsonrpc":"2.0","method":"two"}')

    again = client.get(last)
    await again.said("two")
    again.exchange.hang_up.set()

    assert [e["method"] for e in (await again.task).events()] == ["two"]
    assert not session.busy


async def test_a_listener_takes_event_streams() -> None:
    edge = EdgeUnderTest()
    client = await LegacyClient.begun(edge)

    refused = await client.post(b"", [(b"accept", b"application/json")], method="GET").run(edge.app)

    assert refused.status == 406
