"""[network]: TLS towards callers, proxies that are trusted, and the address that callers know."""

import asyncio
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx2
import pytest

from mcp_gateway.edge.failures import MOST_FAILURES
from tests.support.certificates import Authority, Pair
from tests.support.issuer import Issuer, issuer
from tests.support.process import Served, command, served, until

CONFIG = """
[gateway]
listen = "127.0.0.1:@PORT@"
url = "https://gateway.example.com"

[network]
tls = { certificate = "@CERTIFICATE@", key = "@KEY@" }
trusted_proxies = ["127.0.0.2/32"]

[identity]
issuer = "@ISSUER@"
audience = "https://gateway.example.com/mcp"

[policy]
rules = ["builtin:first-run"]
"""


@dataclass
class Shown:
    """The gateway, who signed its certificate, and where that lies."""

    gateway: Served
    authority: Authority
    pair: Pair


@pytest.fixture(scope="module")
def login() -> Iterator[Issuer]:
    with issuer() as made:
        yield made


@pytest.fixture(scope="module")
async def shown(tmp_path_factory: pytest.TempPathFactory, login: Issuer) -> AsyncIterator[Shown]:
    folder = tmp_path_factory.mktemp("network")
    authority = Authority(folder)
    pair = authority.issue("127.0.0.1")
    text = CONFIG.replace("@CERTIFICATE@", pair.certificate).replace("@KEY@", pair.key)
    context = ssl.create_default_context(cafile=authority.certificate)
    async with served(
        folder, text.replace("@ISSUER@", login.url), scheme="https", verify=context
    ) as gateway:
        yield Shown(gateway, authority, pair)


@pytest.mark.requirement("network:tls-in")
async def test_callers_who_trust_the_authority_are_served(shown: Shown) -> None:
    answer = await shown.gateway.call("gateway__whoami")

    assert "admin" in answer.text


@pytest.mark.requirement("network:tls-in")
async def test_the_commands_trust_the_authority_that_the_environment_names(shown: Shown) -> None:
    words = ("keys", "list", "--url", shown.gateway.url, "--key", shown.gateway.key)
    named = partial(command, *words, SSL_CERT_FILE=shown.authority.certificate)
    trusted = await asyncio.to_thread(named)
    stranger = await asyncio.to_thread(command, *words)

    assert (trusted.code, "admin" in trusted.out) == (0, True)
    assert (stranger.code, "CERTIFICATE_VERIFY_FAILED" in stranger.err) == (1, True)


@pytest.mark.requirement("network:tls-in")
async def test_callers_who_do_not_trust_it_and_those_without_tls_are_not(shown: Shown) -> None:
    url = shown.gateway.url
    async with httpx2.AsyncClient() as stranger:
        with pytest.raises(httpx2.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await stranger.get(f"{url}/healthz")
        with pytest.raises(httpx2.HTTPError):
            await stranger.get(f"{url.replace('https', 'http')}/healthz")


@pytest.mark.requirement("network:tls-in")
async def test_tls_before_1_2_is_not_spoken(shown: Shown) -> None:
    context = ssl.create_default_context(cafile=shown.authority.certificate)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    spoken = certificate(shown, context)
    # A caller who would speak the old one: without this it is the caller who refuses.
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match=r"TLSv1_1 is deprecated"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1

    with pytest.raises(ssl.SSLError, match=r"PROTOCOL_VERSION|protocol version|EOF occurred"):
        certificate(shown, context)
    assert spoken


def certificate(shown: Shown, context: ssl.SSLContext) -> bytes:
    """What the gateway shows to a connection that begins now."""
    host, port = shown.gateway.url.removeprefix("https://").split(":")
    with (
        socket.create_connection((host, int(port)), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=host) as secure,
    ):
        return secure.getpeercert(binary_form=True) or b""


@pytest.mark.requirement("network:tls-in")
async def test_a_certificate_that_is_renewed_is_shown_and_one_that_does_not_fit_is_not(
    shown: Shown,
) -> None:
    gateway = shown.gateway
    context = ssl.create_default_context(cafile=shown.authority.certificate)
    first = certificate(shown, context)
    key = Path(shown.pair.key).read_bytes()
    shown.authority.issue("127.0.0.1")
    gateway.send(signal.SIGHUP)
    await until(lambda: certificate(shown, context) != first)
    second = certificate(shown, context)
    mended = Path(shown.pair.key).read_bytes()

    Path(shown.pair.key).write_bytes(key)
    gateway.send(signal.SIGHUP)
    await until(lambda: gateway.entries("configuration.refused"))

    assert "network.tls" in gateway.entries("configuration.refused")[-1]["reason"]
    assert certificate(shown, context) == second
    Path(shown.pair.key).write_bytes(mended)
    gateway.send(signal.SIGHUP)
    await until(lambda: gateway.entries()[-1]["kind"] == "configuration.applied")


@pytest.mark.requirement("network:public-url")
async def test_the_public_address_stands_in_the_welcome_the_metadata_and_the_challenge(
    shown: Shown, login: Issuer
) -> None:
    path = "/.well-known/oauth-protected-resource"
    async with shown.gateway.http() as http:
        metadata = await http.get(f"{path}/mcp")
        refused = await http.post("/mcp", json={})

    welcome = shown.gateway.out.read_text()
    assert "claude mcp add --transport http gateway https://gateway.example.com/mcp" in welcome
    assert metadata.json()["resource"] == "https://gateway.example.com/mcp"
    assert metadata.json()["authorization_servers"] == [login.url]
    assert f"https://gateway.example.com{path}/mcp" in refused.headers["www-authenticate"]


async def failing(shown: Shown, source: str, forwarded: str, times: int = 1) -> int:
    """The status of the last of so many attempts with a wrong key, from an address."""
    transport = httpx2.AsyncHTTPTransport(verify=shown.gateway.verify, local_address=source)
    headers = {"authorization": "Bearer wrong", "x-forwarded-for": forwarded}
    async with httpx2.AsyncClient(transport=transport, headers=headers) as http:
        answers = [await http.post(f"{shown.gateway.url}/mcp", json={}) for _ in range(times)]
    return answers[-1].status_code


@pytest.mark.requirement("network:trusted-proxies")
async def test_who_is_behind_a_trusted_proxy_is_believed_and_behind_another_is_not(
    shown: Shown,
) -> None:
    loud, quiet = "203.0.113.7", "203.0.113.8"
    through = await failing(shown, "127.0.0.2", loud, MOST_FAILURES + 1)
    other_caller = await failing(shown, "127.0.0.2", quiet)
    forged_chain = await failing(shown, "127.0.0.2", f"{quiet}, {loud}")
    untrusted = await failing(shown, "127.0.0.3", loud)
    spread = await failing(shown, "127.0.0.3", "198.51.100.1", MOST_FAILURES - 1)
    still_one_caller = await failing(shown, "127.0.0.3", "198.51.100.2")

    assert through == 429
    assert (other_caller, untrusted, spread) == (401, 401, 401)
    assert forged_chain == 429
    assert still_one_caller == 429


def test_a_network_that_cannot_be_is_said_at_the_start_without_its_secret(tmp_path: Path) -> None:
    data = tmp_path / "var"
    data.mkdir(mode=0o700)
    proxy = 'proxy = "ftp://user:hunter2@proxy.example"'
    (data / "gateway.toml").write_text(f"[network]\n{proxy}\n")

    ran = command("serve", data=data)

    assert ran.code == 1
    assert "network: the proxy is not an http or https URL" in ran.err
    assert "Traceback" not in ran.err
    assert "hunter2" not in ran.err
