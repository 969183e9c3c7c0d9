"""A forward proxy carries requests to others, and is not believed more than it must be."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from mcp_gateway.wire.failures import HttpFailed, HttpTimedOut
from mcp_gateway.wire.http import HttpClient, Network
from mcp_gateway.wire.proxy import Proxy
from mcp_gateway.wire.url import Origin
from tests.support.certificates import Authority
from tests.support.connect_proxy import connect_proxy
from tests.support.tcp import answering, plain, tcp_server

CREDENTIALS = "Basic Z2F0ZXdheTpwQHNz"  # gateway:p@ss


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@asynccontextmanager
async def client(proxy: str, authority: Authority) -> AsyncIterator[HttpClient]:
    made = HttpClient(
        Network(proxy=proxy, ca=(authority.certificate,), loopback=True), connect_timeout=2
    )
    yield made
    await made.aclose()


async def get(http: HttpClient, url: str) -> bytes:
    return (await http.request("GET", url, [], timeout=5)).body


@pytest.mark.requirement("http:forward-proxy")
async def test_https_goes_through_a_tunnel_that_the_proxy_cannot_look_into(
    authority: Authority,
) -> None:
    async with (
        answering(plain(b"one"), plain(b"two"), tls=authority.server("upstream.test")) as server,
        connect_proxy({"upstream.test": server.port}) as proxy,
        client(f"http://127.0.0.1:{proxy.port}", authority) as http,
    ):
        url = "https://upstream.test/secret"
        assert [await get(http, url), await get(http, url)] == [b"one", b"two"]

    assert proxy.heads == [b"CONNECT upstream.test:443 HTTP/1.1\r\nhost: upstream.test:443\r\n\r\n"]
    assert server.heads[0].startswith(b"GET /secret HTTP/1.1\r\nhost: upstream.test\r\n")
    assert b"proxy-" not in server.heads[0]


@pytest.mark.requirement("http:forward-proxy")
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_wants_credentials_is_shown_them_and_nobody_else_is(
    authority: Authority, scheme: str
) -> None:
    context = authority.server("upstream.test") if scheme == "https" else None
    async with (
        answering(plain(b"ok"), tls=context) as server,
        connect_proxy({"upstream.test": server.port}, authorization=CREDENTIALS) as proxy,
        client(f"http://gateway:p%40ss@127.0.0.1:{proxy.port}", authority) as http,
    ):
        assert await get(http, f"{scheme}://upstream.test/") == b"ok"

    assert b"proxy-authorization" not in server.heads[0].lower()


async def test_a_tunnel_for_which_the_credentials_do_not_do_is_told(authority: Authority) -> None:
    async with (
        connect_proxy({}, authorization=CREDENTIALS) as proxy,
        client(f"http://gateway:wrong@127.0.0.1:{proxy.port}", authority) as http,
    ):
        with pytest.raises(HttpFailed, match="credentials") as failure:
            await get(http, "https://upstream.test/")

    assert "wrong" not in str(failure.value)
    assert not failure.value.sent


async def test_a_tunnel_that_is_refused_is_told(authority: Authority) -> None:
    async with (
        connect_proxy({}) as proxy,
        client(f"http://127.0.0.1:{proxy.port}", authority) as http,
    ):
        with pytest.raises(HttpFailed, match="with status 502") as failure:
            await get(http, "https://upstream.test/")

    assert not failure.value.sent


async def test_the_server_at_the_end_of_a_tunnel_must_be_the_one_that_was_asked_for(
    authority: Authority,
) -> None:
    async with (
        answering(plain(b"ok"), tls=authority.server("other.test")) as server,
        connect_proxy({"upstream.test": server.port}) as proxy,
        client(f"http://127.0.0.1:{proxy.port}", authority) as http,
    ):
        with pytest.raises(HttpFailed, match=r"not valid for 'upstream\.test'"):
            await get(http, "https://upstream.test/")

    assert server.heads == []


@pytest.mark.requirement("http:forward-proxy")
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_the_way_to_the_proxy_may_itself_be_tls(authority: Authority, scheme: str) -> None:
    context = authority.server("upstream.test") if scheme == "https" else None
    async with (
        answering(plain(b"ok"), tls=context) as server,
        connect_proxy({"upstream.test": server.port}, tls=authority.server("127.0.0.1")) as proxy,
        client(f"https://127.0.0.1:{proxy.port}", authority) as http,
    ):
        assert await get(http, f"{scheme}://upstream.test/") == b"ok"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n\x16\x03\x01", "speaks in the tunnel"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", "speaks in the tunnel"),
        (b"SSH-2.0-x\r\n", "not sound HTTP"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000, "the proxy"),
        (b"HTTP/1.1 200 OK\r\n", "hung up"),
        (b"HTTP/1.1 302 Found\r\nlocation: http://evil.test/\r\n\r\n", "with status 302"),
        (b"", "hung up"),
    ],
    ids=["bytes", "a body", "no HTTP", "too much", "half a head", "a redirect", "nothing"],
)
async def test_a_proxy_that_does_not_keep_to_the_rules_gets_no_tls(
    authority: Authority, said: bytes, why: str
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        await writer.drain()

    async with (
        tcp_server(serve) as proxy,
        client(f"http://127.0.0.1:{proxy.port}", authority) as http,
    ):
        with pytest.raises(HttpFailed, match=why) as failure:
            await get(http, "https://upstream.test/")

    assert not failure.value.sent


async def test_a_proxy_that_says_nothing_is_given_up(authority: Authority) -> None:
    network = Network(ca=(authority.certificate,))
    async with answering() as proxy:
        network = Network(proxy=f"http://127.0.0.1:{proxy.port}", ca=network.ca)
        http = HttpClient(network, connect_timeout=0.1)
        with pytest.raises(HttpTimedOut, match="no connection"):
            await get(http, "https://upstream.test/")
        await http.aclose()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "proxy.test:3128",
        "socks5://proxy.test",
        "http://",
        "http://proxy.test/path",
        "file:///x",
    ],
)
def test_what_is_no_proxy_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="proxy is not an http or https URL"):
        Proxy(url)


def test_a_refusal_does_not_repeat_the_password() -> None:
    with pytest.raises(ValueError, match="proxy is not") as failure:
        Proxy("socks5://gateway:secret@proxy.test")

    assert "secret" not in str(failure.value)


def test_a_proxy_has_a_port_by_custom_and_credentials_by_its_url() -> None:
    plain_proxy, proxy = (
        Proxy("http://proxy.test"),
        Proxy("https://gateway:p%40ss@proxy.test:8443/"),
    )

    assert (plain_proxy.port, plain_proxy.secure, plain_proxy.header) == (3128, False, b"")
    assert (proxy.host, proxy.port, proxy.secure) == ("proxy.test", 8443, True)
    assert proxy.header == b"\r\nproxy-authorization: " + CREDENTIALS.encode()


def test_a_tunnel_is_asked_for_by_host_and_port() -> None:
    proxy = Proxy("http://proxy.test")

    assert proxy.connect(Origin("https", "2a00::1", 443)) == (
        b"CONNECT [2a00::1]:443 HTTP/1.1\r\nhost: [2a00::1]:443\r\n\r\n"
    )
