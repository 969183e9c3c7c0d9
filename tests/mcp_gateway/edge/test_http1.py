"""What callers of every manner are answered, on a real socket."""

import asyncio
import json
from typing import Any

import pytest

from mcp_gateway.edge import asgi
from mcp_gateway.edge.asgi import Receive, Scope, Send
from mcp_gateway.edge.http1 import MOST_WAITING
from tests.support.http1 import BACKENDS, echo, get, post, serving

FAULT = b"\x00 nonsense\r\n\r\n"
SECOND = get("/second")
CHUNKED = "transfer-encoding: chunked"

AMBIGUOUS: list[tuple[str, ...]] = [
    ("content-length: 5", CHUNKED),
    (CHUNKED, "content-length: 5"),
    ("content-length: 5", "content-length: 6"),
    ("content-length: 5", "content-length: 5"),
    (CHUNKED, CHUNKED),
    ("transfer-encoding: chunked, chunked",),
    ("transfer-encoding: gzip, chunked",),
    ("transfer-encoding: gzip",),
    ("transfer-encoding: identity",),
    ("transfer-encoding:",),
    ("transfer-encoding: chunked\x0b",),
    ("transfer-encoding : chunked",),
    ("x: y\r\n transfer-encoding: chunked",),
    ("x: y\r\n\ttransfer-encoding: chunked",),
    ("x: y\ntransfer-encoding: chunked",),
    ("x: y\rtransfer-encoding: chunked",),
    ("x: y\x00",),
    ("content-length: -1",),
    ("content-length: +1",),
    ("content-length: 0x5",),
    ("content-length: 5 5",),
    ("content-length: 5,5",),
    ("content-length:",),
    ("content-length: 99999999999999999999999",),
    ("x\xff: y",),
    (": y",),
]
NO_CHUNKS = [
    b"-5\r\nhello\r\n0\r\n\r\n",
    b"0x5\r\nhello\r\n0\r\n\r\n",
    b"5 \r\nhello\r\n0\r\n\r\n",
    b"5\nhello\r\n0\r\n\r\n",
    b"5\r\nhello\n0\r\n\r\n",
    b"5\r\nhelloo\r\n0\r\n\r\n",
    b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    b"fffffffffffffffff\r\n",
    b"0\r\na: b\n\r\n",
    b"0\r\ncontent-length: 30\r\n\r\n",
    b"0\n\n",
]
UNUSUAL: list[tuple[bytes, int | str]] = [
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    (b"CONNECT a:443 HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET http://a/p?q=1 HTTP/1.1\r\nhost: a\r\n\r\n", "/p"),
    (b"GET http://a HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n", "*"),
    (b"GET //a/p HTTP/1.1\r\nhost: a\r\n\r\n", "//a/p"),
    (b"GET /\xc3\xa9 HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET /?\xc3\xa9 HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"GET /%C3%A9%ff HTTP/1.1\r\nhost: a\r\n\r\n", "/\xe9\ufffd"),
    (b"GET / HTTP/0.9\r\n\r\n", 400),
    (b"GET / HTTP/1.2\r\n\r\n", 400),
    (b"GET / HTTP/2.0\r\n\r\n", 400),
    (b"GET /\r\n\r\n", 400),
    (b"MAKE / HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    (b"POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00", 400),
]

NO_HOSTS = [
    b"GET /healthz HTTP/1.1\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\n\r\n",
    b"GET http://a/p HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
    *[
        b"GET /healthz HTTP/%b\r\n%b\r\n\r\n" % (version, lines)
        for version in (b"1.0", b"1.1")
        for lines in (
            b"host: a\r\nhost: a",
            b"host: a\r\nx: y\r\nHOST: b",
            *(b"host: " + name for name in (b"", b" ", b"a b", b"a/b", b"@a", b"u@a", b"a?")),
            *(b"host: " + name for name in (b"a#b", b":80", b"a:x", b"a:8:0", b"a%b", b"::1")),
            *(b"host: " + name for name in (b"[::1", b"[]", b"[a]b", b"\xc3\xa9", b"http://a")),
        )
    ],
]
HOSTS = [
    b"GET / HTTP/1.0\r\n\r\n",
    *[
        b"GET / HTTP/1.1\r\nhost:%b\r\n\r\n" % name
        for name in (
            b"a",
            b" a.b-c_d~e \t",
            b"a:",
            b"A:80",
            b"127.0.0.1:8080",
            b"[::1]:80",
            b"%C3%A9",
        )
    ],
]


@pytest.fixture(scope="module", params=BACKENDS)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


async def test_requests_one_after_another_share_a_connection() -> None:
    async with serving(echo) as served:
        caller = await served.caller()
        for number in range(3):
            caller.say(post("content-length: 2", body=b"%02d" % number, path=f"/{number}"))
            status, body = await caller.answer()
            assert (status, json.loads(body)["body"]) == (200, f"{number:02}")
        assert len(served.connections) == 1


async def test_pipelined_requests_are_answered_in_their_order() -> None:
    async with serving(echo) as served:
        paths = [f"/{number}" for number in range(20)]
        caller = await served.caller(*map(get, paths))
        assert [json.loads((await caller.answer())[1])["path"] for _ in paths] == paths


async def test_a_request_at_fault_costs_none_before_it_its_answer() -> None:
    go = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await go.wait()
        await echo(scope, receive, send)

    async with serving(app) as served:
        caller = await served.caller(get("/first"), SECOND, post(CHUNKED, body=b"x"), SECOND)
        await asyncio.wait_for(_asked(served, 1), 5)
        go.set()
        assert json.loads((await caller.answer())[1])["path"] == "/first"
        head = await caller.head()
        assert b"connection: close" in head
        rest = await caller.rest()
        assert rest.count(b"HTTP/1.1") == 0
        assert json.loads(rest)["path"] == "/second"
        assert served.seen == ["/first", "/second"]


async def _asked(served: Any, count: int) -> None:
    while len(served.seen) < count:
        await asyncio.sleep(0)


async def test_an_application_that_fails_after_a_later_request_at_fault_ends_the_connection() -> (
    None
):
    go = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await go.wait()

    async with serving(app) as served:
        caller = await served.caller(get(), FAULT)
        await asyncio.wait_for(_asked(served, 1), 5)
        go.set()
        assert (await caller.rest()).startswith(b"HTTP/1.1 500 ")


async def test_more_requests_than_may_wait_end_the_connection_after_the_answers_of_the_others() -> (
    None
):
    async with serving(echo) as served:
        caller = await served.caller(get() * (MOST_WAITING + 100))
        rest = await caller.rest()
        assert rest.count(b"HTTP/1.1 200") == MOST_WAITING + 1
        assert rest.count(b"connection: close") == 1


@pytest.mark.requirement("edge:no-smuggling")
async def test_what_two_parsers_could_read_differently_is_refused_whole() -> None:
    async with serving(echo) as served:
        for lines in AMBIGUOUS:
            caller = await served.caller(post(*lines, body=b"0\r\n\r\n"), SECOND)
            assert ((await caller.answer())[0], lines) == (400, lines)
            assert await caller.rest() == b""
            assert (served.seen, lines) == ([], lines)


@pytest.mark.requirement("edge:no-smuggling")
async def test_a_chunked_body_that_is_none_never_becomes_a_second_request() -> None:
    async with serving(echo) as served:
        for body in NO_CHUNKS:
            caller = await served.caller(post(CHUNKED, body=body), SECOND)
            assert ((await caller.answer())[0], body) == (400, body)
            assert await caller.rest() == b""
        assert "/second" not in served.seen


@pytest.mark.requirement("edge:no-smuggling")
async def test_trailers_become_headers_of_no_request() -> None:
    async with serving(echo) as served:
        body = b"5;a=b\r\nhello\r\n0\r\nauthorization: forged\r\nx:\r\n\r\n"
        caller = await served.caller(post(CHUNKED, body=body), SECOND)
        first, second = [json.loads((await caller.answer())[1]) for _ in range(2)]
        assert first["body"] == "hello"
        assert "authorization" not in dict(first["headers"])
        assert second["headers"] == [["host", "a"]]


async def test_unusual_requests_have_a_defined_answer() -> None:
    async with serving(echo) as served:
        for said, answer in UNUSUAL:
            caller = await served.caller(said)
            status, body = await caller.answer()
            found = status if isinstance(answer, int) else json.loads(body)["path"]
            assert (found, said) == (answer, said)


@pytest.mark.requirement("edge:one-host")
async def test_a_request_without_one_host_is_refused_and_so_is_what_follows() -> None:
    async with serving(echo) as served:
        for said in NO_HOSTS:
            rest = await (await served.caller(said, SECOND)).rest()
            assert (rest[:12], rest.count(b"HTTP/1.1 "), said) == (b"HTTP/1.1 400", 1, said)
        assert served.seen == []

        for said in HOSTS:
            caller = await served.caller(said)
            assert ((await caller.answer())[0], said) == (200, said)


@pytest.mark.parametrize(
    "framing", [("content-length: 5", b"hello"), (CHUNKED, b"5\r\nhello\r\n0\r\n\r\n")]
)
async def test_a_request_to_upgrade_is_answered_whole_as_if_it_had_not_asked(
    framing: tuple[str, bytes],
) -> None:
    line, body = framing
    wish = ("connection: Upgrade, HTTP2-Settings", "upgrade: h2c", "http2-settings: AAMAAABk")
    said = post(*wish, line, body=body)
    async with serving(echo) as served:
        for cut in (0, 1, 60, len(said) - len(body), len(said) - 1):
            caller = await served.caller(said[:cut])
            await caller.writer.drain()
            await asyncio.sleep(0.01)  # likely, and not surely, two segments
            caller.say(said[cut:])
            head = await caller.head()
            assert head.startswith(b"HTTP/1.1 200")
            assert b"connection: close" in head
            assert json.loads(await caller.rest())["body"] == "hello"


async def test_go_on_is_said_once_and_only_when_the_body_is_wanted() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/wanted":
            await echo(scope, receive, send)
        else:
            await asgi.respond(send, 401, b"no")

    expecting = ("expect: 100-Continue ", "content-length: 5")
    async with serving(app) as served:
        caller = await served.caller(post(*expecting, path="/wanted"))
        assert await caller.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        caller.say(b"hello")
        assert json.loads((await caller.answer())[1])["body"] == "hello"
        caller.say(post(*expecting, path="/wanted", body=b"hello"))
        assert (await caller.answer())[0] == 200
        caller.say(post(*expecting))
        head = await caller.head()
        assert head.startswith(b"HTTP/1.1 401")
        assert b"connection: close" in head
        assert await caller.rest() == b"no"


async def test_a_caller_of_1_0_gets_no_chunks_no_interim_answer_and_the_end() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = await asgi.read_body(receive, 100)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b"!"})

    said = b"POST / HTTP/1.0\r\nconnection: keep-alive\r\nexpect: 100-continue\r\n"
    async with serving(app) as served:
        caller = await served.caller(said, b"content-length: 5\r\n\r\n")
        await asyncio.wait_for(_asked(served, 1), 5)
        caller.say(b"hello")
        head = await caller.head()
        assert head.startswith(b"HTTP/1.1 200")
        assert b"transfer-encoding" not in head
        assert b"connection: close" in head
        assert await caller.rest() == b"hello!"


@pytest.mark.parametrize("method", ["HEAD", "GET"])
@pytest.mark.parametrize("status", [200, 204, 304])
async def test_answers_without_a_body_have_none_and_the_next_one_follows(
    method: str, status: int
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = b"body" if status == 200 else b""
        await asgi.respond(send, status, body)

    said = get().replace(b"GET", method.encode())
    async with serving(app) as served:
        caller = await served.caller(said * 2)
        for _ in range(2):
            head = await caller.head()
            assert head.startswith(b"HTTP/1.1 %d" % status)
            assert (b"content-length: 4" in head) == (status == 200)
            assert b"content-length: 0" not in head
            if status == 200 and method == "GET":
                assert await caller.reader.readexactly(4) == b"body"


async def test_a_stream_is_passed_on_as_it_is_said() -> None:
    said: asyncio.Queue[bytes] = asyncio.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        while data := await said.get():
            await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body"})

    async with serving(app) as served:
        caller = await served.caller(get())
        assert b"transfer-encoding: chunked" in await caller.head()
        for data in (b"one", b"three"):
            said.put_nowait(data)
            assert await caller.line() == b"%x\r\n" % len(data)
            assert await caller.line() == data + b"\r\n"
        said.put_nowait(b"")
        assert await caller.head() == b"0\r\n\r\n"
        said.put_nowait(b"")
        caller.say(SECOND)
        assert b"200" in await caller.head()
