"""Streams: they begin at once, wait for their reader, and end when it leaves."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from mcp_gateway.wire import connection as wire
from mcp_gateway.wire.connection import STREAM_WINDOW, Response
from mcp_gateway.wire.failures import HttpFailed, HttpTimedOut, TooLarge
from mcp_gateway.wire.http import HttpClient, Network
from tests.support.tcp import answering, plain, read_request, tcp_server
from tests.support.transports import connected, streamed

CHUNKED_EVENTS = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    made = HttpClient(Network(loopback=True), connections=4)
    yield made
    await made.aclose()


async def post(client: HttpClient, url: str, timeout: float = 5) -> Response:
    return await client.request("POST", url, [], b"x", timeout=timeout)


async def whole(response: Response) -> bytes:
    return b"".join([part async for part in response.chunks(5)])


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@pytest.mark.requirement("http:streams")
async def test_a_stream_begins_before_it_ends(client: HttpClient) -> None:
    go_on = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await read_request(reader):
            writer.write(CHUNKED_EVENTS + chunk(b"data: 1\n\n"))
            await go_on.wait()
            writer.write(chunk(b"data: 2\n\n") + b"0\r\n\r\n")

    async with tcp_server(serve) as server, asyncio.timeout(5):
        response = await post(client, server.url)
        assert response.streaming
        chunks = response.chunks(5)
        assert await anext(chunks) == b"data: 1\n\n"
        go_on.set()
        assert [part async for part in chunks] == [b"data: 2\n\n"]
        response.close()
        assert await whole(await post(client, server.url)) == b"data: 1\n\ndata: 2\n\n"

    assert server.opened == 1


async def test_a_stream_that_came_at_once_is_read_at_leisure(client: HttpClient) -> None:
    events = plain(b"data: 1\n\n", b"content-type: text/event-stream")
    async with answering(events, events) as server:
        first = await post(client, server.url)
        second = await post(client, server.url)

        assert await whole(second) == await whole(first) == b"data: 1\n\n"
        first.close()
        second.close()

    assert server.opened == 1


async def test_leaving_a_stream_early_ends_its_connection(client: HttpClient) -> None:
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(CHUNKED_EVENTS + chunk(b"data: 1\n\n"))
        assert await reader.read() == b""
        ended.set()

    async with tcp_server(serve) as server, asyncio.timeout(5):
        response = await post(client, server.url)
        response.close()
        await ended.wait()
        with pytest.raises(HttpFailed, match="left"):
            _ = [part async for part in response.chunks(5)][1:]


async def test_a_stream_that_falls_silent_is_ended(client: HttpClient) -> None:
    async with answering(CHUNKED_EVENTS + chunk(b": hello\n")) as server:
        response = await post(client, server.url)
        chunks = response.chunks(0.05)
        assert await anext(chunks) == b": hello\n"
        with pytest.raises(HttpTimedOut, match="silent") as failure:
            await anext(chunks)

    assert failure.value.sent


async def test_a_stream_may_last_longer_than_the_timeout_of_its_request(
    client: HttpClient,
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(CHUNKED_EVENTS)
        for _ in range(6):
            await asyncio.sleep(0.05)
            writer.write(chunk(b":\n"))
        writer.write(b"0\r\n\r\n")
        await reader.read()

    async with tcp_server(serve) as server:
        response = await post(client, server.url, timeout=0.1)
        assert await whole(response) == b":\n" * 6


@pytest.mark.parametrize("end", [b"", b"zz\r\n", b"0\r\nx"], ids=["cut", "broken", "unfinished"])
async def test_a_stream_that_breaks_gives_what_came_and_then_fails(
    client: HttpClient, end: bytes
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(CHUNKED_EVENTS + chunk(b"data: 1\n\n"))
        await writer.drain()
        await asyncio.sleep(0)
        writer.write(end)

    async with tcp_server(serve) as server:
        chunks = (await post(client, server.url)).chunks(5)
        assert await anext(chunks) == b"data: 1\n\n"
        with pytest.raises(HttpFailed):
            await anext(chunks)


@pytest.mark.requirement("http:streams")
async def test_a_stream_that_nobody_reads_stops_its_server_and_loses_nothing(
    client: HttpClient,
) -> None:
    size, stuck = 32 * 1024 * 1024, asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(CHUNKED_EVENTS)
        sending = asyncio.ensure_future(_sent(writer, size))
        done, _ = await asyncio.wait({sending}, timeout=0.2)
        assert not done
        stuck.set()
        await sending
        await reader.read()

    async with tcp_server(serve) as server, asyncio.timeout(10):
        response = await post(client, server.url)
        await stuck.wait()
        assert response._answer.waiting < STREAM_WINDOW + 512 * 1024
        read = 0
        async for part in response.chunks(5):
            read += len(part)

    assert read == size


async def _sent(writer: asyncio.StreamWriter, size: int) -> None:
    part = 64 * 1024
    for _ in range(size // part):
        writer.write(chunk(b"x" * part))
        await writer.drain()
    writer.write(b"0\r\n\r\n")


async def test_a_stream_that_nobody_ever_reads_is_given_up(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "UNREAD", 0.05)
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(CHUNKED_EVENTS + chunk(b"data: 1\n\n"))
        assert await reader.read() == b""
        ended.set()

    async with tcp_server(serve) as server, asyncio.timeout(5):
        response = await post(client, server.url)
        await ended.wait()
        chunks = response.chunks(5)
        assert await anext(chunks) == b"data: 1\n\n"
        with pytest.raises(HttpTimedOut, match="nobody reads"):
            await anext(chunks)


async def test_closing_an_old_stream_does_not_touch_the_next_one_on_its_connection() -> None:
    connection, owner = connected()
    first = await streamed(connection, plain(b"1", b"content-type: text/event-stream"))
    second = await streamed(connection, CHUNKED_EVENTS + chunk(b"2"))
    first.close()

    timer = connection._reader_timer
    assert timer is not None
    assert not timer.cancelled()
    assert connection.alive
    assert await anext(second.chunks(5)) == b"2"
    second.close()
    assert owner.back == [connection]


async def test_a_connection_that_stopped_reading_reads_again_before_it_is_lent() -> None:
    connection, owner = connected()
    await streamed(connection, CHUNKED_EVENTS + chunk(b"x" * STREAM_WINDOW))
    assert not owner.transport.reading

    connection.data_received(b"0\r\n\r\n")

    assert owner.transport.reading
    assert owner.back == [connection]


async def test_the_rest_of_a_stream_is_read_within_a_bound(client: HttpClient) -> None:
    async with answering(plain(b"x" * 100), plain(b"x" * 101)) as server:
        async with client.stream("GET", server.url, [], timeout=5) as response:
            assert await response.read(100, idle=5) == b"x" * 100
        async with client.stream("GET", server.url, [], timeout=5) as response:
            with pytest.raises(TooLarge, match="more than 100 bytes"):
                await response.read(100, idle=5)
