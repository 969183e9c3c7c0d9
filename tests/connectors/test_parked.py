"""Requests that wait at their upstream for the answer to what it asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest

from connectors import CONNECTORS
from connectors.heard import Said
from mcp_gateway.core import ports
from mcp_gateway.core.call import Call
from mcp_gateway.core.errors import QuestionExpired, UpstreamTimedOut
from mcp_gateway.core.target import Target
from mcp_gateway.wire import jsonrpc
from tests.connectors.answering import ANSWERS, able, answered, asked_of, retry
from tests.connectors.conftest import Around
from tests.connectors.http import KEY, Asked, answer_of, connected, echo, raw_upstream, said
from tests.connectors.parking import KEYED, asks, parked, replies
from tests.support.calls import Inbox, call
from tests.support.sdk_upstream import command, serving
from tests.support.tcp import plain
from tests.support.waiting import until

KINDS = ("elicitation", "roots", "sampling")
HELLO = types.TextContent(type="text", text="Hello")
SAID = f"the elicitation: accept Ada, the roots: file:///work, the sampling: {HELLO}"
TRANSPORTS = ("http modern", "http legacy", "stdio", "sse")


def ask(kinds: tuple[str, ...] = KINDS, rounds: int = 1, **changes: Any) -> Call:
    """A call of the SDK's tool that asks, of a client that can answer everything."""
    arguments = {"kinds": list(kinds), "rounds": rounds}
    made = able(call(params={"name": "up__ask", "arguments": arguments}, **changes))
    made.target, made.credential = Target("tool", "up", "ask"), KEY
    return made


@asynccontextmanager
async def upstream(around: Around, tmp_path: Path, kind: str) -> AsyncIterator[ports.Connector]:
    """The connector to the SDK's server, by this transport."""
    notes = tmp_path / "notes"
    if kind == "stdio":
        async with opened(around, "mcp_stdio", command=command(notes)) as found:
            yield found
        return
    transport, _, era = kind.partition(" ")
    options: dict[str, Any] = {"only": era} if era else {"sse": True}
    async with (
        serving(notes, **options) as served,
        opened(around, f"mcp_{transport}", url=served.url) as found,
    ):
        yield found


@asynccontextmanager
async def opened(around: Around, kind: str, **config: Any) -> AsyncIterator[ports.Connector]:
    plug = CONNECTORS[kind]
    connector: ports.Connector = await plug.open(
        "up", plug.Config.model_validate(config), around.services
    )
    try:
        yield connector
    finally:
        await connector.aclose()


async def to_the_end(connector: ports.Connector, made: Call) -> tuple[str, list[str]]:
    """Answers whatever is asked, and what was: the questions' keys, in order."""
    keys: list[str] = []
    result = await connector.send(made)
    while result.asked:
        keys += result.asked.questions
        result = await answered(connector, made, result)
    return said(result), keys


@pytest.mark.parametrize("kind", TRANSPORTS)
@pytest.mark.requirement("questions:either-era-every-transport")
async def test_an_upstream_of_either_era_asks_for_everything_and_is_answered(
    around: Around, tmp_path: Path, kind: str
) -> None:
    async with upstream(around, tmp_path, kind) as connector:
        heard, keys = await to_the_end(connector, ask())

    assert heard == SAID
    if kind == "http modern":
        assert sorted(keys) == [f"the {kind}" for kind in KINDS]
    else:
        assert keys == ["elicitation-1", "roots-2", "sampling-3"]


@pytest.mark.parametrize("kind", TRANSPORTS[1:])
async def test_every_round_of_a_conversation_is_a_park_of_its_own(
    around: Around, tmp_path: Path, kind: str
) -> None:
    async with upstream(around, tmp_path, kind) as connector:
        heard, keys = await to_the_end(connector, ask(("elicitation",), rounds=3))

    assert heard == "the elicitation: accept Ada"
    assert keys == ["elicitation-1", "elicitation-2", "elicitation-3"]


@pytest.mark.requirement("questions:of-two-calls-each-gets-its-own")
async def test_two_calls_at_once_that_ask_each_get_their_own_answer(
    around: Around, tmp_path: Path
) -> None:
    async with upstream(around, tmp_path, "http legacy") as connector:
        calls = [ask(("elicitation",)), ask(("elicitation",))]
        results = await asyncio.gather(*(connector.send(made) for made in calls))
        heard = [
            await answered(connector, made, result, {"action": "accept", "content": {"name": name}})
            for made, result, name in zip(
                reversed(calls), reversed(results), ("Ada", "Grace"), strict=True
            )
        ]

    assert [said(answer) for answer in heard] == [
        "the elicitation: accept Ada",
        "the elicitation: accept Grace",
    ]


@pytest.mark.parametrize("kind", ["stdio", "sse"])
@pytest.mark.requirement("questions:unclear-ones-are-refused")
async def test_a_question_of_which_nobody_can_tell_whose_it_is_is_refused(
    around: Around, tmp_path: Path, kind: str
) -> None:
    async with upstream(around, tmp_path, kind) as connector:
        first = ask(("elicitation",))
        asked = await connector.send(first)

        other = await connector.send(ask(("elicitation",)))
        answer = await answered(connector, first, asked)

    assert b"several calls are under way" in other.raw
    assert said(answer) == "the elicitation: accept Ada"


async def test_roots_that_are_asked_for_beside_two_calls_are_refused(
    around: Around, tmp_path: Path
) -> None:
    async with upstream(around, tmp_path, "http legacy") as connector:
        first = ask(("roots",))
        asked = await connector.send(first)

        other = await connector.send(ask(("roots",)))
        answer = await answered(connector, first, asked)

    assert b"several calls are under way" in other.raw
    assert said(answer) == "the roots: file:///work"


@pytest.mark.requirement("questions:resumed-on-the-same-request")
async def test_the_answer_goes_to_the_question_and_the_rest_of_the_stream_to_the_retry(
    around: Around,
) -> None:
    inbox = Inbox()
    async with raw_upstream(asks, era="legacy") as up, connected(around, up.url) as connector:
        made = able(echo())
        waiting = await parked(connector, made)
        (request,) = up.of("tools/call")
        resuming = asyncio.ensure_future(
            waiting.resume(retry(able(echo(token="t")), KEYED, notify=inbox))
        )
        await until(lambda: replies(up))
        request.say(answer_of(request, "thank you"))
        result = await resuming

    (reply,) = replies(up)
    assert reply.message["id"] == "q-1"
    assert reply.message["result"] == ANSWERS["elicitation/create"]
    assert reply.head["mcp-session-id"] == "s-1"
    assert said(result) == "thank you"
    assert len(up.of("tools/call")) == 1


async def test_a_retry_without_the_answer_is_asked_the_same_again(around: Around) -> None:
    async with raw_upstream(asks, era="legacy") as up, connected(around, up.url) as connector:
        made = able(echo())
        waiting = await parked(connector, made)
        again = await waiting.resume(retry(made, {"another": {}}))
        third = asked_of(again)
        for nonsense in ({}, {"elicitation-1": 7}, {"elicitation-1": [1]}):
            assert third.parked is not None
            third = asked_of(await third.parked.resume(retry(made, nonsense)))

        assert list(third.questions) == ["elicitation-1"]
        assert replies(up) == []


@pytest.mark.requirement("questions:abandoned-is-cancelled")
async def test_a_park_that_is_abandoned_cancels_the_request_and_is_no_more(around: Around) -> None:
    async with raw_upstream(asks, era="legacy") as up, connected(around, up.url) as connector:
        made = able(echo())
        waiting = await parked(connector, made)
        await waiting.abandon()
        await waiting.abandon()
        with pytest.raises(QuestionExpired):
            await waiting.resume(retry(made, KEYED))

        (request,) = up.of("tools/call")
        (note,) = up.of("notifications/cancelled")
        assert note.message["params"] == {"requestId": request.message["id"]}
        assert not any(session.busy for session in connector._sessions._open.values())


@pytest.mark.requirement("questions:abandoned-is-cancelled")
async def test_a_caller_who_leaves_while_it_goes_on_cancels_the_request(around: Around) -> None:
    async with raw_upstream(asks, era="legacy") as up, connected(around, up.url) as connector:
        made = able(echo())
        waiting = await parked(connector, made)
        resuming = asyncio.ensure_future(waiting.resume(retry(made, KEYED)))
        await until(lambda: replies(up))
        resuming.cancel()
        with pytest.raises(asyncio.CancelledError):
            await resuming

        assert len(up.of("notifications/cancelled")) == 1


async def test_what_is_quiet_while_it_is_parked_is_not_late_and_is_afterwards(
    around: Around,
) -> None:
    async with (
        raw_upstream(asks, era="legacy") as up,
        connected(around, up.url, timeout=0.3) as connector,
    ):
        made = able(echo())
        waiting = await parked(connector, made)
        await asyncio.sleep(0.5)
        with pytest.raises(UpstreamTimedOut, match=r"within 0\.3 s"):
            await waiting.resume(retry(made, KEYED))

        assert len(up.of("notifications/cancelled")) == 1


@pytest.mark.requirement("questions:lost-ones-are-expired")
async def test_an_upstream_that_goes_away_while_a_call_is_parked_has_forgotten_it(
    around: Around,
) -> None:
    async with raw_upstream(asks, era="legacy") as up, connected(around, up.url) as connector:
        made = able(echo())
        waiting = await parked(connector, made)
        up.of("tools/call")[0].close()
        assert await waiting.fate() == "lost"
        with pytest.raises(QuestionExpired, match="call again"):
            await waiting.resume(retry(made, KEYED))


@pytest.mark.requirement("questions:lost-ones-are-expired")
async def test_an_upstream_that_has_lost_the_session_is_not_answered(around: Around) -> None:
    def say(asked: Asked) -> bytes:
        if asked.verb == "POST" and not asked.method:
            return plain(b"", status=b"404 Not Found")
        return asks(asked)

    async with raw_upstream(say, era="legacy") as up, connected(around, up.url) as connector:
        made = able(echo())
        waiting = await parked(connector, made)
        with pytest.raises(QuestionExpired):
            await waiting.resume(retry(made, KEYED))


@pytest.mark.parametrize("kind", ["stdio", "sse"])
async def test_what_has_answered_is_no_call_that_may_ask(
    around: Around, tmp_path: Path, kind: str
) -> None:
    async with upstream(around, tmp_path, kind) as connector:
        waiting = await parked(connector, ask(("elicitation",)))
        line = waiting._exchange.line  # type: ignore[attr-defined]
        line._duplex.take(Said(jsonrpc.parse(jsonrpc.result(line.id, b"{}")), b""))

        assert await waiting.fate() == "answered"
        assert not line._duplex.busy
        heard, _ = await to_the_end(connector, ask(("elicitation",)))

    assert heard == "the elicitation: accept Ada"


@pytest.mark.requirement("questions:closing-ends-parks")
async def test_closing_the_connector_ends_what_is_parked(around: Around, tmp_path: Path) -> None:
    for kind in TRANSPORTS[1:]:
        async with upstream(around, tmp_path, kind) as connector:
            made = ask(("elicitation",))
            waiting = await parked(connector, made)
            await connector.aclose()

            with pytest.raises(QuestionExpired):
                await waiting.resume(retry(made, KEYED))
