"""One connection serves one exchange after another, and never mixes two up."""

import asyncio
import struct
from collections.abc import AsyncIterator
from socket import SO_LINGER, SOL_SOCKET

import pytest
import uvicorn

from mcp_gateway.wire.connection import IDLE, UNTOLD, Connection, Response, kept
from mcp_gateway.wire.failures import HttpFailed, HttpTimedOut
from mcp_gateway.wire.http import HttpClient, Network
from tests.support.raw_server import raw_server
from tests.support.tcp import answering, plain, read_request, tcp_server
from tests.support.transports import Owner, connected, soon


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    made = HttpClient(Network(loopback=True), connections=4)
    yield made
    await made.aclose()


async def post(client: HttpClient, url: str, body: bytes = b"x", timeout: float = 5) -> Response:
    return await client.request("POST", url, [], body, timeout=timeout)


async def test_many_callers_share_few_connections_and_each_gets_its_own_answer(
    client: HttpClient,
) -> None:
    # A machine that stands still for some seconds may let connections age: these may not.
    async with raw_server(_echo_and_keep) as (url, opened):

        async def one(number: int) -> bytes:
            return (await post(client, url, b"%d" % number, timeout=30)).body

        async with asyncio.timeout(30):
            answers = await asyncio.gather(*map(one, range(200)))
            again = await asyncio.gather(*map(one, range(200)))

    assert answers == again == [b"%d" % number for number in range(200)]
    assert len(opened) <= 4


async def test_a_cancelled_exchange_leaves_the_next_one_on_its_connection_alone(
    client: HttpClient,
) -> None:
    async with raw_server(_echo) as (url, _):
        for number in range(20):
            task = asyncio.ensure_future(post(client, url, b"gone"))
            await asyncio.sleep(0)
            task.cancel()
            assert (await post(client, url, b"%d" % number)).body == b"%d" % number


async def test_a_cancelled_exchange_ends_its_connection(client: HttpClient) -> None:
    arrived, ended = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        arrived.set()
        assert await reader.read() == b""
        ended.set()

    async with tcp_server(serve) as server, asyncio.timeout(5):
        task = asyncio.ensure_future(post(client, server.url))
        await arrived.wait()
        task.cancel()
        await ended.wait()


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 1_000_000])
async def test_a_body_of_any_size_arrives_whole(client: HttpClient, size: int) -> None:
    async with raw_server(_echo) as (url, _):
        assert (await post(client, url, b"x" * size)).body == b"x" * size


@pytest.mark.requirement("http:no-smuggling")
async def test_bytes_behind_an_answer_are_no_answer_to_the_next_request(client: HttpClient) -> None:
    forged = plain(b"ok") + plain(b"forged", b"x-forged: yes")
    async with answering(forged, forged) as server:
        first = await post(client, server.url)
        second = await post(client, server.url)

    assert (first.body, second.body) == (b"ok", b"ok")
    assert "x-forged" not in first.headers
    assert server.opened == 2


@pytest.mark.requirement("http:no-smuggling")
async def test_an_answer_that_nobody_asked_for_is_no_answer_to_the_next_request(
    client: HttpClient,
) -> None:
    poisoned = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(plain(b"ok"))
        await writer.drain()
        await asyncio.sleep(0)
        writer.write(plain(b"forged"))
        await writer.drain()
        poisoned.set()
        await reader.read()

    async with tcp_server(serve) as server, asyncio.timeout(5):
        for _ in range(5):
            poisoned.clear()
            assert (await post(client, server.url)).body == b"ok"
            await poisoned.wait()

    assert server.opened == 5


async def test_bytes_before_the_first_request_end_the_connection() -> None:
    connection, owner = connected()

    connection.data_received(plain(b"early"))

    assert not connection.alive
    await asyncio.sleep(0)
    assert owner.gone == [connection]


async def test_a_connection_that_was_closed_while_idle_is_replaced_and_nobody_notices(
    client: HttpClient,
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(plain(b"ok"))
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with tcp_server(serve) as server:
        for _ in range(10):
            assert (await post(client, server.url)).body == b"ok"

    assert server.opened == 10


@pytest.mark.requirement("http:never-sent-twice")
async def test_a_request_that_may_have_arrived_is_never_sent_again(client: HttpClient) -> None:
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while len(requests) < 2:
            requests.append(await read_request(reader))
            if len(requests) < 2:
                writer.write(plain(b"ok"))
        writer.transport.abort()

    async with tcp_server(serve) as server:
        await post(client, server.url, b"first")
        with pytest.raises(HttpFailed, match="connection") as failure:
            await post(client, server.url, b"second")

    assert failure.value.sent
    assert len(requests) == 2


async def test_a_server_that_answers_before_it_has_read_is_not_asked_again() -> None:
    connection, owner = connected()
    exchange = asyncio.ensure_future(
        connection.exchange(b"x", b"", soon(), bodiless=False, streamed=False)
    )
    await asyncio.sleep(0)
    owner.transport.unsent = 1
    connection.data_received(plain(b"no", status=b"413 Too Large"))

    assert (await exchange).status == 413
    assert not connection.alive
    assert owner.back == []


async def test_a_server_says_how_long_it_keeps_a_connection(client: HttpClient) -> None:
    async with answering(plain(b"ok", b"keep-alive: timeout=1")) as server:
        await post(client, server.url)
        await post(client, server.url)

    assert server.opened == 2


@pytest.mark.parametrize(
    ("hint", "seconds"),
    [
        ("timeout=5", 4.0),
        ("max=100, timeout=30", 29.0),
        ("timeout=0", 0.0),
        ("timeout=999999999", IDLE),
        ("timeout=x", UNTOLD),
        ("", UNTOLD),
    ],
)
def test_a_connection_is_kept_a_second_less_than_its_server_says(hint: str, seconds: float) -> None:
    assert kept({"keep-alive": hint}) == seconds
    assert kept({}) == UNTOLD


def test_a_connection_is_given_up_before_a_server_that_says_nothing_closes_it() -> None:
    closes_after = uvicorn.Config("a:program").timeout_keep_alive

    assert kept({}) <= closes_after - 1


async def test_a_silent_server_times_out(client: HttpClient) -> None:
    async with raw_server(lambda _: b"") as (url, _):
        with pytest.raises(HttpTimedOut) as failure:
            await post(client, url, timeout=0.1)

    assert failure.value.sent


async def test_a_server_that_dribbles_does_not_outlast_the_timeout(client: HttpClient) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        while not writer.transport.is_closing():
            writer.write(b"x")
            await asyncio.sleep(0.01)

    async with tcp_server(serve) as server:
        with pytest.raises(HttpTimedOut):
            await post(client, server.url, timeout=0.1)


async def test_an_answer_without_a_length_is_whole_when_the_server_ends_it(
    client: HttpClient,
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nhello")

    async with tcp_server(serve) as server:
        assert (await post(client, server.url)).body == b"hello"
        assert (await post(client, server.url)).body == b"hello"

    assert server.opened == 2


async def test_an_answer_without_a_length_is_not_whole_when_the_connection_breaks(
    client: HttpClient,
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nhello")
        await writer.drain()
        socket = writer.get_extra_info("socket")
        socket.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with tcp_server(serve) as server:
        with pytest.raises(HttpFailed, match="before the answer was whole"):
            await post(client, server.url)


async def test_a_head_request_waits_for_no_body(client: HttpClient) -> None:
    async with answering(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n") as server:
        response = await client.request("HEAD", server.url, [], timeout=5)

    assert (response.status, response.body) == (200, b"")


async def test_a_connection_that_was_never_made_sends_nothing() -> None:
    connection = Connection(Owner(), 100)

    assert not connection.usable(0.0)
    with pytest.raises(HttpFailed) as failure:
        await connection.exchange(b"x", b"", soon(), bodiless=False, streamed=False)
    assert not failure.value.sent


def _echo(request: bytes) -> bytes:
    return plain(request.partition(b"\r\n\r\n")[2])


def _echo_and_keep(request: bytes) -> bytes:
    return plain(request.partition(b"\r\n\r\n")[2], b"keep-alive: timeout=60")
