"""How answers and connections end: by the application, by the caller, by the server."""

import asyncio
import json
import logging
import ssl
from pathlib import Path
from typing import Any

import pytest

from mcp_gateway.edge import asgi, http1
from mcp_gateway.edge.asgi import Receive, Scope, Send
from tests.support.certificates import Authority
from tests.support.http1 import BACKENDS, Serving, echo, get, post, serving
from tests.support.waiting import until

SECOND = get("/second")


@pytest.fixture(scope="module", params=BACKENDS)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


async def fails(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError(scope["path"])


async def silent(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


async def split(scope: Scope, receive: Receive, send: Send) -> None:
    await asgi.respond(send, 200, b"", [(b"x", b"y\r\nset-cookie: forged")])


@pytest.mark.parametrize("app", [fails, silent, split])
async def test_an_application_without_an_answer_is_a_500_and_the_end(
    app: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(app) as served:
        caller = await served.caller(get(), SECOND)
        with caplog.at_level(logging.ERROR):
            rest = await caller.rest()
        assert rest.startswith(b"HTTP/1.1 500 ")
        assert rest.count(b"HTTP/1.1") == 1
        assert b"forged" not in rest
        assert served.seen == ["/"]
        own = [record for record in caplog.records if record.name == http1.__name__]
        assert bool(own) == (app is not silent)


@pytest.mark.requirement("edge:no-part-for-the-whole")
@pytest.mark.parametrize("length", [None, b"10"])
async def test_an_answer_that_breaks_off_is_never_taken_for_a_whole_one(
    length: bytes | None,
) -> None:
    go = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-length", length)] if length else []
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"part", "more_body": True})
        await go.wait()

    for said in (get(), get().replace(b"1.1", b"1.0")):
        go.clear()
        async with serving(app) as served:
            caller = await served.caller(said)
            await caller.head()
            go.set()
            # Cut, not closed: the end of the connection alone would end a body of HTTP/1.0.
            with pytest.raises(ConnectionResetError):
                await caller.rest()


async def test_an_answer_longer_or_shorter_than_it_said_never_reaches_the_next_one() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        length = (b"content-length", scope["path"][1:].encode())
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": b"12345"})

    async with serving(app) as served:
        for wrong in ("4", "6", "-5", "5_0", "+5"):
            caller = await served.caller(get(f"/{wrong}"), get("/5"))
            rest = await caller.rest()
            assert rest.startswith(b"HTTP/1.1 500")
            assert b"12345" not in rest


async def test_an_answer_before_the_body_leaves_the_connection_right_for_the_next_request() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "POST":
            await asgi.respond(send, 413, b"too much")
        else:
            await echo(scope, receive, send)

    body = get("/inner") * 10_000
    said = post(f"content-length: {len(body)}", body=body)
    async with serving(app) as served:
        caller = await served.caller(said[:70])
        assert await caller.answer() == (413, b"too much")
        caller.say(said[70:], SECOND)
        assert json.loads((await caller.answer())[1])["path"] == "/second"
        assert served.seen == ["/", "/second"]


async def test_a_fault_in_a_body_that_was_answered_already_is_not_answered_again() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asgi.respond(send, 401, b"no")

    async with serving(app) as served:
        caller = await served.caller(post("transfer-encoding: chunked"))
        assert await caller.answer() == (401, b"no")
        caller.say(b"nonsense\r\n")
        assert await caller.rest() == b""


async def test_the_last_answer_reaches_a_caller_who_is_still_sending() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asgi.respond(send, 413, b"too much")

    async with serving(app) as served:
        caller = await served.caller(post("connection: close", "content-length: 8000000"))
        for _ in range(100):
            caller.say(b"x" * 80_000)
            await caller.writer.drain()
        assert await caller.answer() == (413, b"too much")
        assert await caller.rest() == b""


async def test_an_application_cancelled_before_its_first_step_is_a_500() -> None:
    async with serving(echo) as served:
        caller = await served.caller()
        await until(lambda: served.connections)
        served.connections[0].data_received(get())
        for task in list(served.server.server_state.tasks):
            task.cancel()
        assert (await caller.answer())[0] == 500
        assert served.seen == []


async def test_everybody_who_waits_learns_of_a_caller_that_hung_up() -> None:
    told: list[str] = []
    waiting: list[str] = []

    async def wait(receive: Receive) -> None:
        waiting.append("here")
        told.append((await receive())["type"])

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await asyncio.gather(wait(receive), wait(receive))
        await asgi.respond(send, 200, b"said to nobody")

    async with serving(app) as served:
        caller = await served.caller(get())
        await until(lambda: len(waiting) == 2)
        assert told == []
        caller.leave()
        await until(lambda: not served.server.server_state.tasks)
        assert told == ["http.disconnect"] * 2


async def test_an_application_may_close_the_connection_and_answers_have_a_date() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asgi.respond(send, 200, b"bye", [(b"connection", b"Close")])

    async with serving(app) as served:
        caller = await served.caller(get(), SECOND)
        head = await caller.head()
        assert b"\r\ndate: " in head
        assert head.count(b"connection: close\r\n") == 1
        assert await caller.rest() == b"bye"
        assert served.seen == ["/"]


async def test_an_end_of_the_server_ends_idle_connections_and_finishes_requests() -> None:
    async with serving(echo) as served:
        idle = await served.caller()
        busy = await served.caller(post("content-length: 10", body=b"hello"))
        half = await served.caller(get()[:-2])
        await until(lambda: len(served.connections) == 3 and served.seen)
        served.server.should_exit = True
        assert await idle.rest() == b""
        assert await half.rest() == b""
        busy.say(b"world", SECOND)
        head = await busy.head()
        assert b"connection: close" in head
        assert json.loads(await busy.rest())["body"] == "helloworld"
        assert served.seen == ["/"]


async def test_an_end_of_the_server_drops_requests_that_nobody_began() -> None:
    go = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await go.wait()
        await asgi.respond(send, 200, b"done")

    async with serving(app) as served:
        unfinished = post("content-length: 5", body=b"he", path="/second")
        caller = await served.caller(get(), get("/first"), unfinished)
        await until(lambda: served.seen)
        await _ending(served)
        served.later(10_000)
        go.set()
        assert b"connection: close" in await caller.head()
        assert await caller.rest() == b"done"
        assert served.seen == ["/"]


async def _ending(served: Serving) -> None:
    served.server.should_exit = True
    await until(lambda: all(connection._leaving for connection in served.connections))


async def test_a_stream_is_told_of_the_end_by_cancel_and_may_say_so() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await send({"type": "http.response.body", "body": b"z"})
            raise

    async with serving(app) as served:
        caller = await served.caller(get())
        await caller.head()
        await _ending(served)
        for task in served.server.server_state.tasks:
            task.cancel()
        assert await caller.rest() == b"1\r\na\r\n1\r\nz\r\n0\r\n\r\n"


async def test_over_tls_all_of_it_works_and_nothing_is_half_closed(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    trust = ssl.create_default_context(cafile=authority.certificate)
    async with serving(echo, authority.issue("127.0.0.1")) as served:
        caller = await served.caller(get(), SECOND, ssl=trust)
        for _ in range(2):
            assert (await caller.answer())[0] == 200
        connection = served.connections[0]
        assert not connection._transport.can_write_eof()
        assert connection._addresses[2] == "https"
        body = b"x" * 4_000_000
        caller.say(post(f"content-length: {len(body)}", body=body))
        assert b"4000000" in (await caller.answer())[1]
        caller.say(b"nonsense\r\n\r\n")
        assert b" 400 " in await caller.head()
        served.later(10)
        await until(lambda: not served.connections)
