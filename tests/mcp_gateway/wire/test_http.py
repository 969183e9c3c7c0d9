"""The client: one for all calls, no more than is asked for, nothing behind the caller's back."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from mcp_gateway.wire.http import (
    REMEMBERED,
    AddressRefused,
    HttpClient,
    HttpFailed,
    HttpTimedOut,
    Network,
    TooLarge,
)
from tests.support.tcp import answering, plain, read_request, tcp_server


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    made = HttpClient(Network(loopback=True), most=1000, connections=2)
    yield made
    await made.aclose()


async def test_a_request_has_what_was_asked_for_and_a_host_and_no_more(client: HttpClient) -> None:
    async with answering(plain(b"ok", b"X-Answer: yes")) as server:
        response = await client.request(
            "POST", f"{server.url}?a=b", [("accept", "application/json")], b"body", timeout=5
        )

    assert server.heads == [
        b"POST /mcp?a=b HTTP/1.1\r\nhost: 127.0.0.1:%d\r\naccept: application/json\r\n"
        b"content-length: 4\r\n\r\nbody" % server.port
    ]
    assert (response.status, response.body, response.streaming) == (200, b"ok", False)
    assert response.headers["x-answer"] == "yes"


@pytest.mark.requirement("http:one-pool")
async def test_one_call_after_another_takes_one_connection(client: HttpClient) -> None:
    async with answering(*[plain(b"ok")] * 10) as server:
        for _ in range(10):
            await client.request("POST", server.url, [], b"x", timeout=5)

    assert server.opened == 1


@pytest.mark.requirement("http:connections-are-bounded")
async def test_no_more_connections_are_open_to_an_origin_than_allowed(client: HttpClient) -> None:
    async with answering(*[plain(b"ok")] * 20) as server:
        await asyncio.gather(
            *(client.request("POST", server.url, [], timeout=5) for _ in range(20))
        )

    assert server.opened <= 2


@pytest.mark.requirement("http:connections-are-bounded")
async def test_a_stream_holds_its_connection(client: HttpClient) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
    async with answering(head) as server:
        streams = [await client.request("POST", server.url, [], timeout=5) for _ in range(2)]
        with pytest.raises(HttpTimedOut, match="in use") as failure:
            await client.request("POST", server.url, [], timeout=0.05)
        assert not failure.value.sent
        streams[0].close()
        await client.request("POST", server.url, [], timeout=5)

    assert server.opened == 3


@pytest.mark.parametrize("status", [b"301 Moved", b"302 Found", b"307 Temporary", b"308 Permanent"])
async def test_a_redirect_is_an_answer_and_nothing_is_followed(
    client: HttpClient, status: bytes
) -> None:
    async with answering(plain(b"", b"location: /elsewhere", status=status)) as server:
        response = await client.request("GET", server.url, [("authorization", "x")], timeout=5)

    assert response.status == int(status[:3])
    assert response.headers["location"] == "/elsewhere"
    assert len(server.heads) == 1


async def test_a_cookie_is_not_kept(client: HttpClient) -> None:
    async with answering(plain(b"", b"set-cookie: a=b"), plain(b"")) as server:
        for _ in range(2):
            await client.request("GET", server.url, [], timeout=5)

    assert b"cookie" not in server.heads[1].lower()


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("http://127.0.0.1/\r\nx: y", []),
        ("ftp://127.0.0.1/", []),
        ("http://127.0.0.1/", [("x", "a\r\nb: c")]),
        ("http://127.0.0.1/", [("x\r\nb", "c")]),
        ("http://127.0.0.1/", [("host", "other")]),
        ("http://127.0.0.1/", [("Transfer-Encoding", "chunked")]),
    ],
)
async def test_what_no_request_can_hold_is_refused_before_anything_is_opened(
    client: HttpClient, url: str, headers: list[tuple[str, str]]
) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # each has its message tested where it is made
        await client.request("POST", url, headers, timeout=5)

    assert all(pool.unused for pool in client._pools.values())


@pytest.mark.requirement("http:answers-are-bounded")
async def test_an_answer_over_the_bound_costs_its_connection(client: HttpClient) -> None:
    async with answering(plain(b"x" * 1001), plain(b"never")) as server:
        with pytest.raises(TooLarge) as failure:
            await client.request("GET", server.url, [], timeout=5)
        with pytest.raises(TooLarge):
            await client.request("GET", server.url, [], timeout=5)

    assert failure.value.sent
    assert server.opened == 2


async def test_the_timeout_covers_waiting_connecting_and_answering(client: HttpClient) -> None:
    async with answering(b"") as server, asyncio.timeout(3):
        with pytest.raises(HttpTimedOut):
            await client.request("GET", server.url, [], timeout=0.05)


async def test_an_answer_of_any_type_can_be_streamed(client: HttpClient) -> None:
    async with (
        answering(plain(b"x" * 5000)) as server,
        client.stream("GET", server.url, [], timeout=5) as response,
    ):
        assert (response.status, response.streaming, response.body) == (200, True, b"")
        parts = [part async for part in response.chunks(5)]

    assert b"".join(parts) == b"x" * 5000


async def test_leaving_a_stream_before_its_end_closes_it(client: HttpClient) -> None:
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome")
        assert await reader.read() == b""
        ended.set()

    async with tcp_server(serve) as server, asyncio.timeout(5):
        async with client.stream("GET", server.url, [], timeout=5) as response:
            assert response.headers["content-length"] == "100"
        await ended.wait()


async def test_a_refused_connection_sent_nothing(client: HttpClient) -> None:
    async with answering() as server:
        pass
    with pytest.raises(HttpFailed, match="no connection") as failure:
        await client.request("POST", server.url, [], b"x", timeout=5)

    assert not failure.value.sent


async def test_a_closed_client_ends_what_is_in_flight_and_begins_nothing() -> None:
    client, arrived = HttpClient(Network(loopback=True)), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        arrived.set()
        await reader.read()

    async with tcp_server(serve) as server, asyncio.timeout(5):
        request = asyncio.ensure_future(client.request("GET", server.url, [], timeout=5))
        await arrived.wait()
        await client.aclose()
        with pytest.raises(HttpFailed, match="client is closed"):
            await request
        with pytest.raises(HttpFailed, match="client is closed"):
            await client.request("GET", server.url, [], timeout=5)

    assert server.opened == 1


async def test_a_client_that_nobody_used_closes() -> None:
    await HttpClient(Network()).aclose()


async def test_urls_are_remembered_within_bounds_and_their_pools_with_them(
    client: HttpClient,
) -> None:
    async with answering(*[plain(b"ok")] * 2) as server:
        await client.request("GET", server.url, [], timeout=5)
        for number in range(REMEMBERED + 10):
            with pytest.raises(AddressRefused):
                await client.request("GET", f"http://10.0.{number % 200}.1/{number}", [], timeout=5)
        await client.request("GET", server.url, [], timeout=5)

    assert len(client._routes) <= REMEMBERED
    assert len(client._pools) < 50
    assert server.opened == 1


def test_a_network_that_cannot_be_is_told_when_the_client_is_made() -> None:
    with pytest.raises(ValueError, match="not appear to be an IPv4 or IPv6 network"):
        HttpClient(Network(private=("intranet",)))
