"""An answer is plain JSON until something has to be said before it."""

import json

import pytest

from mcp_gateway.core.body import Body
from mcp_gateway.edge.asgi import JSON
from mcp_gateway.edge.refusals import Answer
from mcp_gateway.edge.stream import Stream
from tests.support.asgi import Exchange

DONE = Answer(200, (JSON,), b'{"jsonrpc":"2.0","id":1,"result":{}}')


def _progress(step: int) -> Body:
    return Body(b'{"jsonrpc":"2.0","method":"notifications/progress","params":{"n":%d}}' % step)


async def test_without_notifications_the_answer_is_json() -> None:
    exchange = Exchange()

    await Stream(exchange.send, events=True).finish(DONE)

    assert exchange.answered.header(b"content-type") == b"application/json"
    assert exchange.answered.json()["id"] == 1


@pytest.mark.requirement("edge:streams")
async def test_from_the_first_notification_on_it_is_an_event_stream() -> None:
    exchange = Exchange()
    made = Stream(exchange.send, events=True)

    for step in range(3):
        await made.notify(_progress(step))
        assert len(exchange.answered.parts) == step + 1, "each leaves at once"
    await made.finish(DONE)

    answered = exchange.answered
    assert answered.status == 200
    assert answered.header(b"content-type") == b"text/event-stream"
    assert answered.header(b"cache-control") == b"no-store"
    assert answered.header(b"x-accel-buffering") == b"no"
    assert answered.all(b"content-length") == []
    assert [event.get("params", {}).get("n") for event in answered.events()] == [0, 1, 2, None]
    assert answered.events()[-1] == json.loads(DONE.message)
    assert answered.whole


async def test_who_takes_no_event_streams_gets_the_answer_alone() -> None:
    exchange = Exchange()
    made = Stream(exchange.send, events=False)

    await made.notify(_progress(1))
    await made.finish(DONE)

    assert exchange.answered.header(b"content-type") == b"application/json"
    assert len(exchange.answered.parts) == 1


@pytest.mark.requirement("edge:streams")
@pytest.mark.parametrize("notified", [True, False])
async def test_an_answer_is_given_once(*, notified: bool) -> None:
    exchange = Exchange()
    made = Stream(exchange.send, events=True)
    if notified:
        await made.notify(_progress(1))

    await made.finish(DONE)
    await made.finish(Answer(500, (JSON,), b"{}"))

    assert b'"result"' in exchange.answered.body
    assert exchange.answered.status == 200


@pytest.mark.requirement("edge:streams")
@pytest.mark.parametrize("ends", [b"\n", b"\r\n", b"\r", b"\n\n", b"\ndata: {}\n\n"])
async def test_line_ends_in_a_message_do_not_make_another_event(ends: bytes) -> None:
    exchange = Exchange()
    made = Stream(exchange.send, events=True)

    await made.notify(Body(b'{"a":1,' + ends + b'"b":2}'))

    lines = exchange.answered.body.split(b"\n")
    assert all(line == b"" or line.startswith((b"event: ", b"data: ")) for line in lines)
    assert exchange.answered.body.count(b"\n\n") == 1
