"""A large answer over a connection: passed on as it comes, and no faster than it is read."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from mcp_gateway.wire.connection import STREAM_WINDOW, Response
from mcp_gateway.wire.failures import HttpFailed, TooLarge
from mcp_gateway.wire.http import HttpClient, Network
from tests.support.tcp import answering, plain, read_request, tcp_server

HELD = 1_000_000


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    made = HttpClient(Network(loopback=True), connections=4)
    made.held = HELD
    yield made
    await made.aclose()


async def post(client: HttpClient, url: str, *, spills: bool = True) -> Response:
    return await client.request("POST", url, [], b"x", timeout=5, spills=spills)


async def whole(response: Response) -> bytes:
    return b"".join([part async for part in response.chunks(5)])


@pytest.mark.requirement("streams:ordinary-results-are-whole")
async def test_an_answer_up_to_the_bound_is_no_stream(client: HttpClient) -> None:
    async with answering(plain(b"x" * HELD)) as server:
        response = await post(client, server.url)

    assert (response.streaming, len(response.body)) == (False, HELD)


@pytest.mark.requirement("streams:large-results-pass")
async def test_a_larger_one_is_and_its_connection_serves_again(client: HttpClient) -> None:
    body = b"0123456789" * HELD
    async with answering(plain(body), plain(b"again")) as server:
        response = await post(client, server.url)
        assert (response.streaming, response.events) == (True, False)
        assert await whole(response) == body
        response.close()

        assert (await post(client, server.url)).body == b"again"
        assert server.opened == 1


async def test_one_of_unknown_length_becomes_one_on_its_way(client: HttpClient) -> None:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    parts = [b"%x\r\n%b\r\n" % (100_000, b"x" * 100_000)] * 30
    async with answering(head + b"".join(parts) + b"0\r\n\r\n") as server:
        response = await post(client, server.url)

        assert response.streaming
        assert await whole(response) == b"x" * 3_000_000


@pytest.mark.requirement("streams:back-pressure")
async def test_what_nobody_reads_stays_with_its_server(client: HttpClient) -> None:
    size, sent = 60_000_000, 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        while sent < size:
            writer.write(b"x" * 100_000)
            await writer.drain()
            sent += 100_000

    async with tcp_server(serve) as server:
        response = await post(client, server.url)
        before = -1
        while sent != before:
            before = sent
            await asyncio.sleep(0.1)
        assert before < size / 2
        assert response._answer.waiting < 2 * STREAM_WINDOW + 100_000

        assert len(await whole(response)) == size


async def test_one_that_breaks_off_fails_after_what_came(client: HttpClient) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 3000000\r\n\r\n" + b"x" * 2_000_000)
        await writer.drain()

    async with tcp_server(serve) as server:
        response = await post(client, server.url)
        with pytest.raises(HttpFailed, match="before the answer was whole"):
            await whole(response)


async def test_who_does_not_ask_for_it_is_refused_what_is_too_large(client: HttpClient) -> None:
    async with answering(plain(b"x" * 9_000_000)) as server:
        with pytest.raises(TooLarge):
            await post(client, server.url, spills=False)
