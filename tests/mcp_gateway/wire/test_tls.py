"""Servers are believed when an authority that the gateway trusts says who they are."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mcp_gateway.wire import tls
from mcp_gateway.wire.failures import HttpFailed
from mcp_gateway.wire.http import HttpClient, Network
from tests.support.certificates import Authority
from tests.support.tcp import answering, plain, read_request, tcp_server


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@asynccontextmanager
async def client(network: Network) -> AsyncIterator[HttpClient]:
    async def lookup(host: str, port: int) -> list[str]:  # every name is here
        return ["127.0.0.1"]

    made = HttpClient(network, lookup=lookup)
    yield made
    await made.aclose()


@pytest.mark.requirement("http:private-authorities")
@pytest.mark.parametrize("host", ["upstream.test", "127.0.0.1", "upstream.test."])
async def test_a_server_that_a_private_authority_signed_is_believed(
    authority: Authority, host: str
) -> None:
    context = authority.server(host.removesuffix("."))
    async with (
        client(Network(ca=(authority.certificate,), loopback=True)) as http,
        answering(plain(b"one"), plain(b"two"), tls=context) as server,
    ):
        url = f"https://{host}:{server.port}/mcp"
        bodies = [(await http.request("POST", url, [], timeout=5)).body for _ in range(2)]

    assert bodies == [b"one", b"two"]
    assert server.opened == 1
    assert f"host: {host}:{server.port}".encode() in server.heads[0]


@pytest.mark.requirement("http:private-authorities")
@pytest.mark.parametrize(
    ("shown", "days", "reason"),
    [
        ("upstream.test", 1, "unable to get local issuer|self-signed"),
        ("other.test", 1, "not valid for 'upstream.test'"),
        ("upstream.test", -1, "expired"),
    ],
    ids=["unknown authority", "other name", "expired"],
)
async def test_a_server_that_is_not_vouched_for_is_sent_nothing(
    authority: Authority, shown: str, days: int, reason: str
) -> None:
    trusted = () if reason.startswith("unable") else (authority.certificate,)
    async with (
        client(Network(ca=trusted, loopback=True)) as http,
        answering(plain(b""), tls=authority.server(shown, days=days)) as server,
    ):
        with pytest.raises(HttpFailed, match=reason) as failure:
            await http.request("POST", f"https://upstream.test:{server.port}/", [], timeout=5)

    assert not failure.value.sent
    assert server.heads == []


async def test_a_server_that_asks_is_shown_the_client_certificate(authority: Authority) -> None:
    pair = authority.issue("gateway.test")
    context = authority.server("upstream.test")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.certificate)
    seen: list[dict[str, object]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        seen.append(writer.get_extra_info("peercert"))
        writer.write(plain(b"ok"))
        await reader.read()

    shows = Network(
        ca=(authority.certificate,), certificate=pair.certificate, key=pair.key, loopback=True
    )
    async with tcp_server(serve, context) as server:
        url = f"https://upstream.test:{server.port}/"
        async with client(shows) as http:
            assert (await http.request("GET", url, [], timeout=5)).body == b"ok"
        async with client(Network(ca=(authority.certificate,), loopback=True)) as http:
            with pytest.raises(HttpFailed):
                await http.request("GET", url, [], timeout=5)

    assert seen[0]["subjectAltName"] == (("DNS", "gateway.test"),)
    assert len(seen) == 1


async def test_a_plain_server_behind_an_https_url_is_sent_nothing(authority: Authority) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(plain(b"hello"))

    async with (
        client(Network(ca=(authority.certificate,), loopback=True)) as http,
        tcp_server(serve) as server,
    ):
        with pytest.raises(HttpFailed) as failure:
            await http.request("POST", f"https://upstream.test:{server.port}/", [], timeout=5)

    assert not failure.value.sent


async def test_an_answer_without_a_length_that_somebody_cuts_off_is_not_whole(
    authority: Authority,
) -> None:
    """Without a length only the TLS farewell tells an end from an attacker's cut."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\npay alice 100")
        await writer.drain()
        writer.transport.abort()

    async with (
        client(Network(ca=(authority.certificate,), loopback=True)) as http,
        tcp_server(serve, authority.server("upstream.test")) as server,
    ):
        with pytest.raises(HttpFailed, match="whole"):
            await http.request("GET", f"https://upstream.test:{server.port}/", [], timeout=5)


async def test_an_answer_without_a_length_that_ends_with_a_farewell_is_whole(
    authority: Authority,
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\npay alice 1000")

    async with (
        client(Network(ca=(authority.certificate,), loopback=True)) as http,
        tcp_server(serve, authority.server("upstream.test")) as server,
    ):
        url = f"https://upstream.test:{server.port}/"
        assert (await http.request("GET", url, [], timeout=5)).body == b"pay alice 1000"


def test_tls_before_1_2_and_servers_without_a_name_are_never_accepted() -> None:
    context = tls.context(Network())

    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, authority: Authority) -> None:
    missing, empty = str(tmp_path / "missing.pem"), tmp_path / "empty.pem"
    empty.write_text("no certificate")

    with pytest.raises(ValueError, match=r"missing\.pem holds no certificates.*No such file"):
        tls.context(Network(ca=(missing,)))
    with pytest.raises(ValueError, match=r"empty\.pem holds no certificates"):
        tls.context(Network(ca=(str(empty),)))
    with pytest.raises(ValueError, match=r"missing\.pem is no client certificate"):
        tls.context(Network(certificate=missing))
    one, other = authority.issue("one.test"), authority.issue("other.test")
    with pytest.raises(ValueError, match=r"one\.test\.pem is no client certificate with its key"):
        tls.context(Network(certificate=one.certificate, key=other.key))
