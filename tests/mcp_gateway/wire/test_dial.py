"""Connections go to the address that was checked, or through the proxy, or nowhere."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from mcp_gateway.wire.dial import Dialer, addresses
from mcp_gateway.wire.failures import AddressRefused, HttpFailed, HttpTimedOut
from mcp_gateway.wire.http import HttpClient, Network
from mcp_gateway.wire.url import Origin
from tests.support.connect_proxy import connect_proxy
from tests.support.tcp import answering, plain


@dataclass
class Names:
    """A resolver of its own: each look-up takes the next answer, the last one stays."""

    answers: list[Sequence[str]]
    asked: list[str] = field(default_factory=list)

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(f"{host}:{port}")
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@asynccontextmanager
async def client(
    names: Names, *, network: Network | None = None, connect_timeout: float = 5.0
) -> AsyncIterator[HttpClient]:
    made = HttpClient(
        network or Network(loopback=True), lookup=names, connect_timeout=connect_timeout
    )
    yield made
    await made.aclose()


async def get(http: HttpClient, url: str) -> bytes:
    return (await http.request("GET", url, [], timeout=5)).body


async def test_a_name_is_looked_up_once_for_as_long_as_its_connection_is_kept() -> None:
    names = Names([["127.0.0.1"]])
    async with client(names) as http, answering(*[plain(b"ok")] * 3) as server:
        for _ in range(3):
            await get(http, f"http://upstream.test:{server.port}/")

    assert names.asked == [f"upstream.test:{server.port}"]


async def test_an_address_is_not_looked_up() -> None:
    names = Names([["192.0.2.1"]])
    async with client(names) as http, answering(plain(b"ok")) as server:
        await get(http, server.url)

    assert names.asked == []


@pytest.mark.requirement("http:private-addresses-are-refused")
@pytest.mark.parametrize(
    "found",
    [
        ["10.0.0.1"],
        ["169.254.169.254"],
        ["8.8.8.8", "10.0.0.1"],
        ["::1", "8.8.8.8"],
        ["::ffff:10.0.0.1"],
        ["fe80::1%eth0"],
        ["127.0.0.1"],
    ],
)
async def test_a_name_with_any_forbidden_address_is_refused(found: list[str]) -> None:
    async with client(Names([found]), network=Network()) as http:
        with pytest.raises(AddressRefused) as failure:
            await get(http, "http://upstream.test/")

    assert not failure.value.sent


@pytest.mark.requirement("http:private-addresses-are-refused")
@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "[::1]",
        "169.254.169.254",
        "[::ffff:127.0.0.1]",
        "10.0.0.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "127.0.0.1.",
        "[::]",
        "0.0.0.0",
    ],
)
async def test_an_address_in_a_url_is_checked_however_it_is_written(host: str) -> None:
    async with (
        answering(plain(b"secret")) as server,
        client(Names([[]]), network=Network()) as http,
    ):
        with pytest.raises(AddressRefused):
            await get(http, f"http://{host}:{server.port}/")

    assert server.opened == 0


@pytest.mark.requirement("http:private-addresses-are-refused")
@pytest.mark.requirement("attack:c16")
async def test_a_name_that_changes_its_address_is_not_followed_after_the_check() -> None:
    """Rebinding: the second answer would be another machine; nobody asks for it."""
    names = Names([["127.0.0.1"], ["169.254.169.254"]])
    async with (
        client(names) as http,
        answering(plain(b"ok", b"connection: close")) as server,
    ):
        url = f"http://upstream.test:{server.port}/"
        assert await get(http, url) == b"ok"
        assert len(names.asked) == 1
        with pytest.raises(AddressRefused, match=r"169\.254"):
            await get(http, url)


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    names = Names([["127.0.0.99", "127.0.0.98", "127.0.0.1"]])
    async with client(names) as http, answering(plain(b"ok")) as server:
        assert await get(http, f"http://upstream.test:{server.port}/") == b"ok"


async def test_of_the_last_address_the_caller_hears_why() -> None:
    async with client(Names([["127.0.0.98", "127.0.0.99"]])) as http:
        with pytest.raises(HttpFailed, match=r"no connection to upstream\.test") as failure:
            await get(http, f"http://upstream.test:{closed_port()}/")

    assert not failure.value.sent


async def test_a_name_without_an_address_is_told() -> None:
    async with client(Names([[]])) as http:
        with pytest.raises(HttpFailed, match=r"upstream\.test has no address"):
            await get(http, "http://upstream.test/")


async def test_a_name_that_nobody_knows_is_told() -> None:
    async def lookup(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    http = HttpClient(Network(), lookup=lookup)
    with pytest.raises(HttpFailed, match="Name or service not known"):
        await get(http, "http://upstream.test/")
    await http.aclose()


@pytest.mark.parametrize(("connect_timeout", "timeout"), [(0.05, 5.0), (5.0, 0.05)])
async def test_connecting_takes_no_longer_than_it_may(
    connect_timeout: float, timeout: float
) -> None:
    async def lookup(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    http = HttpClient(Network(), lookup=lookup, connect_timeout=connect_timeout)
    async with asyncio.timeout(2):
        with pytest.raises(HttpTimedOut, match="no connection") as failure:
            await http.request("GET", "http://upstream.test/", [], timeout=timeout)
    await http.aclose()

    assert not failure.value.sent


async def test_a_server_that_never_agrees_on_tls_is_given_up() -> None:
    async with (
        answering() as server,
        client(Names([["127.0.0.1"]]), connect_timeout=0.1) as http,
    ):
        with pytest.raises(HttpTimedOut, match="no connection"):
            await get(http, f"https://upstream.test:{server.port}/")


async def test_the_system_says_each_address_once() -> None:
    found = await addresses("127.0.0.1", 80)

    assert found == ["127.0.0.1"]


# with a proxy


@pytest.mark.requirement("http:forward-proxy")
async def test_a_name_goes_to_the_proxy_unresolved() -> None:
    names = Names([["192.0.2.1"]])
    async with (
        answering(plain(b"one"), plain(b"two")) as server,
        connect_proxy({"upstream.test": server.port}) as proxy,
        client(names, network=Network(proxy=f"http://127.0.0.1:{proxy.port}")) as http,
    ):
        url = "http://upstream.test/a?b=c"
        assert [await get(http, url), await get(http, url)] == [b"one", b"two"]

    assert proxy.heads[0].startswith(b"GET http://upstream.test/a?b=c HTTP/1.1\r\nhost: upstream")
    assert names.asked == []
    assert proxy.opened == 1


@pytest.mark.requirement("http:private-addresses-are-refused")
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", ["10.0.0.1", "169.254.169.254", "2852039166", "[64:ff9b::1]"])
async def test_an_address_is_checked_before_the_proxy_hears_of_it(scheme: str, host: str) -> None:
    async with (
        connect_proxy({}) as proxy,
        client(Names([[]]), network=Network(proxy=f"http://127.0.0.1:{proxy.port}")) as http,
    ):
        with pytest.raises(AddressRefused):
            await get(http, f"{scheme}://{host}/")

    assert proxy.opened == 0


async def test_an_address_that_is_listed_goes_to_the_proxy() -> None:
    async with (
        answering(plain(b"ok")) as server,
        connect_proxy({"10.0.0.1": server.port}) as proxy,
        client(
            Names([[]]),
            network=Network(proxy=f"http://127.0.0.1:{proxy.port}", private=("10.0.0.0/8",)),
        ) as http,
    ):
        assert await get(http, "http://10.0.0.1/") == b"ok"


async def test_this_machine_is_never_reached_through_the_proxy() -> None:
    async with (
        answering(plain(b"ok"), plain(b"ok")) as server,
        connect_proxy({}) as proxy,
        client(
            Names([["127.0.0.1"]]),
            network=Network(proxy=f"http://127.0.0.1:{proxy.port}", loopback=True),
        ) as http,
    ):
        assert await get(http, server.url) == b"ok"
        assert await get(http, f"http://localhost:{server.port}/") == b"ok"

    assert proxy.opened == 0


async def test_this_machine_is_not_reached_at_all_unless_that_is_allowed() -> None:
    async with (
        connect_proxy({}) as proxy,
        client(
            Names([["127.0.0.1"]]), network=Network(proxy=f"http://127.0.0.1:{proxy.port}")
        ) as http,
    ):
        for host in ("127.0.0.1", "localhost", "a.localhost"):
            with pytest.raises(AddressRefused):
                await get(http, f"http://{host}/")

    assert proxy.opened == 0


def test_a_proxy_that_is_none_is_told_at_once() -> None:
    with pytest.raises(ValueError, match="proxy is not"):
        Dialer(Network(proxy="socks5://127.0.0.1:1"), 5.0)


def test_only_other_machines_have_a_proxy() -> None:
    dialer = Dialer(Network(proxy="http://proxy.test:3128"), 5.0)

    assert dialer.proxy_of(Origin("http", "upstream.test", 80)) is not None
    assert dialer.proxy_of(Origin("http", "localhost", 80)) is None


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
