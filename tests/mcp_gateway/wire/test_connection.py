"""One connection serves one exchange after another, and never mixes two up."""

import asyncio

import pytest

from mcp_gateway.wire.failures import HttpFailed, HttpTimedOut
from mcp_gateway.wire.http import HttpClient, Network
from tests.support.raw_server import raw_server


@pytest.fixture
def client() -> HttpClient:
    return HttpClient(Network(loopback=True), connections=4)


async def test_many_callers_share_few_connections_and_each_gets_its_own_answer(
    client: HttpClient,
) -> None:
    async with raw_server(_echo) as (url, opened):

        async def one(number: int) -> bytes:
            response = await client.request("POST", url, [], b"%d" % number, timeout=5)
            return response.body

        async with asyncio.timeout(10):
            answers = await asyncio.gather(*map(one, range(200)))
            again = await asyncio.gather(*map(one, range(200)))

    assert answers == again == [b"%d" % number for number in range(200)]
    assert len(opened) <= 4


async def test_a_cancelled_exchange_leaves_the_next_one_on_its_connection_alone(
    client: HttpClient,
) -> None:
    async with raw_server(_echo) as (url, _):
        for number in range(20):
            task = asyncio.ensure_future(client.request("POST", url, [], b"gone", timeout=5))
            await asyncio.sleep(0)
            task.cancel()
            response = await client.request("POST", url, [], b"%d" % number, timeout=5)
            assert response.body == b"%d" % number


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nshort",
        b"nothing like HTTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_an_answer_that_two_parsers_could_read_differently_is_refused(
    client: HttpClient, answer: bytes
) -> None:
    async with raw_server(lambda _: answer) as (url, _):
        with pytest.raises(HttpFailed):
            await client.request("POST", url, [], b"x", timeout=5)


async def test_bytes_after_an_answer_end_the_connection(client: HttpClient) -> None:
    trailing = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n"
    async with raw_server(lambda _: trailing) as (url, opened):
        for _ in range(2):
            try:
                await client.request("POST", url, [], b"x", timeout=5)
            except HttpFailed:
                continue

    assert len(opened) == 2


async def test_a_silent_server_times_out(client: HttpClient) -> None:
    async with raw_server(lambda _: b"") as (url, _):
        with pytest.raises(HttpTimedOut):
            await client.request("POST", url, [], b"x", timeout=0.1)


def _echo(request: bytes) -> bytes:
    body = request.partition(b"\r\n\r\n")[2]
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
