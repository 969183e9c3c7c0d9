"""One session over HTTP+SSE: what is asked in it, and its end."""

import asyncio

import pytest

from connectors import sse_session
from mcp_gateway.core.credential import Credential
from mcp_gateway.core.errors import QuestionExpired
from mcp_gateway.wire import jsonrpc
from tests.connectors.answering import able, asked_of, retry
from tests.connectors.conftest import Around
from tests.connectors.http import Asked, answer_of, echo, said
from tests.connectors.sse import connected, event, sse_upstream
from tests.support.waiting import until

ROOTS = b'{"jsonrpc":"2.0","id":"r","method":"roots/list"}'


def asks(asked: Asked) -> bytes:
    return event(ROOTS) if asked.method == "tools/call" else b""


@pytest.mark.requirement("questions:either-era-every-transport")
async def test_what_is_asked_on_the_stream_is_answered_by_a_post(around: Around) -> None:
    async with sse_upstream(asks) as up, connected(around, up.url) as connector:
        made = able(echo())
        waiting = asked_of(await connector.send(made)).parked
        assert waiting is not None
        resuming = asyncio.ensure_future(waiting.resume(retry(made, {"roots-1": {"roots": []}})))
        await until(lambda: up.of(""))
        up.say(answer_of(up.of("tools/call")[0]))

        assert said(await resuming) == "done"
    (reply,) = up.of("")
    assert reply.message == {"jsonrpc": "2.0", "id": "r", "result": {"roots": []}}


@pytest.mark.requirement("sessions:by-credential-and-capabilities")
async def test_a_stream_is_shared_by_who_shows_and_can_answer_the_same(around: Around) -> None:
    def say(asked: Asked) -> bytes:
        return event(answer_of(asked)) if asked.method == "tools/call" else b""

    async with sse_upstream(say) as up, connected(around, up.url) as connector:
        for made in (echo(), echo(), able(echo()), echo(Credential("other"))):
            await connector.send(made)

    declared = [asked.message["params"]["capabilities"] for asked in up.of("initialize")]
    assert [sorted(found) for found in declared] == [[], ["elicitation", "roots", "sampling"], []]


@pytest.mark.requirement("questions:lost-ones-are-expired")
async def test_the_end_of_the_stream_is_the_end_of_what_is_parked(around: Around) -> None:
    async with sse_upstream(asks) as up, connected(around, up.url) as connector:
        made = able(echo())
        waiting = asked_of(await connector.send(made)).parked
        assert waiting is not None
        up.streams[0].close()
        await until(lambda: around.changed)
        with pytest.raises(QuestionExpired):
            await waiting.resume(retry(made, {"roots-1": {"roots": []}}))


async def test_an_upstream_that_asks_without_end_is_answered_only_so_much(
    around: Around, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse_session, "SAYING", 3)

    def say(asked: Asked) -> bytes:
        if asked.method != "tools/call":
            return b""
        pings = b"".join(event(jsonrpc.request(b"%d" % n, "ping", b"{}")) for n in range(50))
        return pings + event(answer_of(asked))

    async with sse_upstream(say) as up, connected(around, up.url) as connector:
        assert said(await connector.send(echo())) == "done"
        await until(lambda: len(up.of("")) >= 3)
        (session,) = connector._sessions._open.values()
        await until(lambda: not session._saying)
    assert 3 <= len(up.of("")) <= 20
