"""No caller takes more than its share: of memory, of bytes, of time."""

import asyncio
import socket
from typing import Any

import pytest

from mcp_gateway.edge import http1, patience
from mcp_gateway.edge.asgi import Receive, Scope, Send
from mcp_gateway.edge.http_request import MOST_HEADERS
from tests.support.http1 import BACKENDS, Caller, Serving, echo, get, post, serving
from tests.support.waiting import until

MB = 1 << 20
CHUNKED = "transfer-encoding: chunked"

pytestmark = pytest.mark.requirement("edge:callers-are-bounded")


@pytest.fixture(scope="module", params=BACKENDS)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


async def _dribbled(caller: Caller, data: bytes, size: int) -> None:
    for at in range(0, len(data), size):
        caller.say(data[at : at + size])
        await caller.writer.drain()


@pytest.mark.parametrize("size", [1 << 20, 701])
@pytest.mark.parametrize(
    "said",
    [
        get("/", "x: " + "y" * http1.MOST_HEAD),
        get("/", *["x: " + "y" * 1000] * 70),
        get("/" + "x" * http1.MOST_HEAD),
        get("/", *["x:y"] * MOST_HEADERS),
        get("/", "x: " + "y" * http1.MOST_HEAD).removesuffix(b"\r\n\r\n") + b"y" * MB,
    ],
    ids=["value", "lines", "target", "number", "endless"],
)
async def test_a_head_that_is_too_large_is_never_seen(said: bytes, size: int) -> None:
    async with serving(echo) as served:
        caller = await served.caller()
        await _dribbled(caller, said, size)
        assert (await caller.answer())[0] == 431
        assert served.seen == []


async def test_a_large_head_within_the_bounds_is_answered() -> None:
    said = get("/", *[f"x{number}: " + "y" * 240 for number in range(MOST_HEADERS - 1)])
    async with serving(echo) as served:
        for size in (1 << 20, 701):
            caller = await served.caller()
            await _dribbled(caller, said, size)
            assert (await caller.answer())[0] == 200


async def test_a_large_body_before_a_head_counts_as_no_part_of_it() -> None:
    size = 200 * 1024
    said = post(f"content-length: {size}", body=b"x" * size) + get("/second")
    async with serving(echo) as served:
        connection = await _only(served, await served.caller())
        connection.data_received(said[:-10])
        connection.data_received(said[-10:])
        assert (await served.callers[0].answer())[0] == 200
        assert (await served.callers[0].answer())[0] == 200
        assert served.seen == ["/", "/second"]


@pytest.mark.parametrize("endless", [b"5;a=" + b"b" * MB, b"0\r\n" + b"a: b\r\n" * (MB // 6)])
async def test_extensions_and_trailers_without_end_are_refused(endless: bytes) -> None:
    async with serving(echo) as served:
        caller = await served.caller(post(CHUNKED))
        await _dribbled(caller, endless, 4096)
        assert (await caller.answer())[0] == 431


async def _only(served: Serving, caller: Caller) -> Any:
    await until(lambda: served.connections)
    return served.connections[0]


async def _read(served: Serving, said: bytes) -> tuple[Caller, Any]:
    """A connection that has read this from its caller."""
    caller = await served.caller(said)
    connection = await _only(served, caller)
    await until(lambda: not said or connection._size == len(said))
    return caller, connection


async def test_a_head_that_takes_too_long_is_refused() -> None:
    async with serving(echo) as served:
        caller, _ = await _read(served, get()[:-2])
        served.later(http1.SLOW_HEAD - 1)
        served.later(http1.SLOW_HEAD + 1)
        assert (await caller.answer())[0] == 408
        assert await caller.rest() == b""


async def test_a_body_that_takes_too_long_is_refused_and_the_application_told() -> None:
    told: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (message := await receive())["type"] == "http.request":
            told.append(message["type"])
        told.append(message["type"])

    async with serving(app) as served:
        caller, _ = await _read(served, post("content-length: 5", body=b"he"))
        served.later(http1.SLOW_BODY - 1)
        await until(lambda: told)
        assert told == ["http.request"]
        served.later(http1.SLOW_BODY + 1)
        assert (await caller.answer())[0] == 408
        await until(lambda: told[-1] == "http.disconnect")


@pytest.mark.parametrize("before", [b"", b"\r\n\r\n", get()])
async def test_an_idle_connection_ends(before: bytes) -> None:
    async with serving(echo) as served:
        caller, connection = await _read(served, before)
        if before.startswith(b"GET"):
            await caller.answer()
        served.later(http1.IDLE - 1)
        assert not connection._leaving
        served.later(http1.IDLE + 1)
        assert await caller.rest() == b""


async def test_a_refused_caller_who_stays_is_cut_off() -> None:
    async with serving(echo) as served:
        caller, _ = await _read(served, b"nonsense\r\n\r\n")
        assert (await caller.answer())[0] == 400
        served.later(http1.FAREWELL + 1)
        await until(lambda: not served.connections)


async def test_a_request_that_waits_its_turn_never_grows_too_old() -> None:
    go = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await go.wait()
        await echo(scope, receive, send)

    said = get("/1") + get("/2") + get("/3")
    async with serving(app) as served:
        caller, _ = await _read(served, said[:-5])
        served.later(10_000)
        go.set()
        caller.say(said[-5:])
        assert [(await caller.answer())[0] for _ in range(3)] == [200] * 3


async def test_a_quiet_stream_is_never_cut() -> None:
    go = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await go.wait()
        await send({"type": "http.response.body", "body": b"b"})

    async with serving(app) as served:
        caller, _ = await _read(served, get())
        await caller.head()
        for _ in range(3):
            served.later(10_000)
        go.set()
        async with asyncio.timeout(5):
            assert await caller.reader.readuntil(b"0\r\n\r\n") == b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n"


class Source:
    """Answers 8 MB, and counts what it could hand over."""

    def __init__(self) -> None:
        self.sent = 0

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        length = (b"content-length", b"%d" % (8 * MB))
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        for _ in range(128):
            data = self.sent.to_bytes(4, "big") * (MB // 64)
            await send({"type": "http.response.body", "body": data, "more_body": True})
            self.sent += len(data)
        await send({"type": "http.response.body"})


async def _still(source: Source) -> None:
    """Waits until the source is held up."""
    async with asyncio.timeout(10):
        before = -1
        while before != source.sent or not before:
            before = source.sent
            await asyncio.sleep(0.05)


def _small() -> socket.socket:
    """A socket that takes little ahead of its reader."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    return made


async def _reader(served: Serving) -> Caller:
    """A caller with little room for what it has not read."""
    with _small() as made:
        made.connect(("127.0.0.1", served.port))
        return await served.taken(made.dup(), get())


async def test_an_answer_to_a_slow_reader_waits_and_all_of_it_arrives() -> None:
    source = Source()
    async with serving(source) as served:
        caller = await _reader(served)
        await _still(source)
        assert source.sent < 8 * MB
        await caller.head()
        async with asyncio.timeout(10):
            body = await caller.reader.readexactly(8 * MB)
        steps = range(0, 8 * MB, MB // 16)
        assert body == b"".join(at.to_bytes(4, "big") * (MB // 64) for at in steps)


async def test_a_caller_who_reads_nothing_is_cut_and_the_call_ends() -> None:
    source = Source()
    async with serving(source) as served:
        await _reader(served)
        await _still(source)
        served.later(0)  # the time of what waits now
        served.later(http1.STUCK - 1)
        assert served.connections
        served.later(http1.STUCK + 1)
        await until(lambda: not served.connections)
        await until(lambda: not served.server.server_state.tasks)


async def test_a_slow_reader_who_makes_progress_is_not_cut() -> None:
    source = Source()
    async with serving(source) as served:
        caller = await _reader(served)
        await _still(source)
        connection = served.connections[0]
        served.later(0)  # the time of what waits now
        for _ in range(8):
            waited = patience.unread(connection._transport)
            served.later(http1.STUCK - 1)
            async with asyncio.timeout(10):
                while patience.unread(connection._transport) == waited:
                    assert await caller.reader.read(MB // 16)
            served.later(http1.STUCK + 1)
            assert not connection._deaf
        assert source.sent < 8 * MB


async def test_a_body_is_read_as_it_is_wanted_and_all_of_it_arrives() -> None:
    go = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await go.wait()
        await echo(scope, receive, send)

    async with serving(app) as served:
        caller = await served.caller(post(f"content-length: {8 * MB}"))
        sending = asyncio.ensure_future(_dribbled(caller, b"x" * 8 * MB, MB // 16))
        connection = await _only(served, caller)
        await until(lambda: connection._held)
        assert connection._current._waiting < MB
        served.later(10_000)
        go.set()
        await asyncio.wait_for(sending, 10)
        status, body = await caller.answer()
        assert status == 200
        assert b'"body": %d' % (8 * MB) in body
