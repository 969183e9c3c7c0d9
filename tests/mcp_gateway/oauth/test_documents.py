"""What an issuer publishes is read with care: it says where else the gateway is to connect."""

import asyncio
from pathlib import Path

import pytest

from mcp_gateway.oauth import documents
from mcp_gateway.oauth.documents import DocumentError, Documents, NotThereError
from mcp_gateway.wire.http import HttpClient, Network
from tests.support.certificates import Authority
from tests.support.connect_proxy import connect_proxy
from tests.support.publisher import publisher
from tests.support.tcp import plain, tcp_server

LOCAL = "http://localhost"
PUBLIC = "https://login.example.com"


async def test_a_document_is_read_as_json(http: HttpClient) -> None:
    async with publisher() as issuer:
        issuer.publish("/jwks", {"keys": []})

        found = await Documents(LOCAL, http).read(f"{issuer.url}/jwks")

    assert found == {"keys": []}


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"5", b"null", b"{", b"\xff", b"<html>", b"[" * 99_999]
)
async def test_what_is_no_json_object_is_refused(http: HttpClient, body: bytes) -> None:
    async with publisher({"/jwks": plain(body)}) as issuer:
        with pytest.raises(DocumentError, match="/jwks"):
            await Documents(LOCAL, http).read(f"{issuer.url}/jwks")


@pytest.mark.requirement("identity:documents-are-bounded")
@pytest.mark.parametrize("framing", ["content-length", "transfer-encoding: chunked"])
async def test_a_large_document_is_refused_however_it_is_sent(
    http: HttpClient, framing: str
) -> None:
    body = b'{"a":"%b"}' % (b"x" * documents.MOST)
    page = plain(body)
    if "chunked" in framing:
        head = f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n".encode()
        page = head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    async with publisher({"/jwks": page}) as issuer:
        with pytest.raises(DocumentError, match="bytes"):
            await Documents(LOCAL, http).read(f"{issuer.url}/jwks")


@pytest.mark.requirement("identity:documents-are-bounded")
async def test_an_answer_that_never_ends_is_not_waited_for(
    http: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "WITHIN", 0.1)

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1\r\n \r\n")
            await asyncio.sleep(0.02)

    async with tcp_server(drip) as server, asyncio.timeout(5):
        with pytest.raises(DocumentError, match="in time"):
            await Documents(LOCAL, http).read(f"http://localhost:{server.port}/jwks")


@pytest.mark.requirement("identity:documents-come-from-the-issuer")
@pytest.mark.parametrize("status", [b"301 Moved", b"302 Found", b"307 Temporary", b"308 Permanent"])
async def test_a_redirect_is_not_followed(http: HttpClient, status: bytes) -> None:
    async with publisher() as elsewhere, publisher() as issuer:
        elsewhere.publish("/jwks", {"keys": []})
        location = f"location: {elsewhere.url}/jwks".encode()
        issuer.pages["/jwks"] = plain(b"", location, status=status)

        with pytest.raises(DocumentError, match="redirects are not followed"):
            await Documents(LOCAL, http).read(f"{issuer.url}/jwks")

    assert elsewhere.asked == []


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (b"404 Not Found", NotThereError),
        (b"403 Forbidden", NotThereError),
        (b"500 Broken", DocumentError),
        (b"204 Nothing", DocumentError),
    ],
)
async def test_an_answer_without_a_document_says_its_status(
    http: HttpClient, status: bytes, kind: type[DocumentError]
) -> None:
    async with publisher({"/jwks": plain(b"", status=status)}) as issuer:
        with pytest.raises(DocumentError, match=status[:3].decode()) as refused:
            await Documents(LOCAL, http).read(f"{issuer.url}/jwks")

    assert refused.type is kind


@pytest.mark.requirement("identity:documents-come-from-the-issuer")
@pytest.mark.parametrize(
    ("issuer", "url", "match"),
    [
        (PUBLIC, "http://login.example.com/jwks", "not https"),
        (PUBLIC, "ftp://login.example.com/jwks", "no|not an http"),
        (PUBLIC, "file:///etc/passwd", "no|not an http"),
        (PUBLIC, "https://localhost/jwks", "on this machine"),
        (PUBLIC, "https://127.0.0.1/jwks", "on this machine"),
        (PUBLIC, "https://[::1]/jwks", "on this machine"),
        (PUBLIC, "https://127.1/jwks", "no usual form"),
        (PUBLIC, "https://2130706433/jwks", "no usual form"),
        (PUBLIC, "https://x:y@login.example.com/jwks", "credentials"),
        (PUBLIC, "https://login.example.com\r\nx: y/jwks", "characters"),
        (PUBLIC, "", "characters"),
        (LOCAL, "http://login.example.com/jwks", "not https"),
    ],
)
async def test_only_https_is_spoken_and_nothing_of_this_machine_is_asked(
    http: HttpClient, issuer: str, url: str, match: str
) -> None:
    with pytest.raises(DocumentError, match=match):
        await Documents(issuer, http).read(url)


@pytest.mark.requirement("identity:documents-come-from-the-issuer")
@pytest.mark.parametrize(
    "url",
    [
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/jwks",
        "https://[fd00::1]/jwks",
        "https://[::ffff:169.254.169.254]/jwks",
        "https://100.100.100.200/jwks",
    ],
)
async def test_addresses_inside_are_out_of_reach(http: HttpClient, url: str) -> None:
    with pytest.raises(DocumentError, match="not a public address"):
        await Documents(PUBLIC, http).read(url)


@pytest.mark.requirement("identity:documents-come-from-the-issuer")
async def test_a_name_that_leads_inside_is_out_of_reach() -> None:
    async def rebound(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    client = HttpClient(Network(), lookup=rebound)
    try:
        with pytest.raises(DocumentError, match="not a public address"):
            await Documents(PUBLIC, client).read(f"{PUBLIC}/jwks")
    finally:
        await client.aclose()


@pytest.mark.requirement("identity:documents-by-network")
async def test_an_issuer_with_a_certificate_of_a_private_authority_is_trusted_if_configured(
    tmp_path: Path,
) -> None:
    authority = Authority(tmp_path)
    trusting = HttpClient(Network(ca=(authority.certificate,), loopback=True))
    others = HttpClient(Network(loopback=True))
    try:
        async with publisher(tls=authority.server("localhost")) as issuer:
            issuer.publish("/jwks", {"keys": []})
            url = f"{issuer.url}/jwks"

            assert await Documents(url, trusting).read(url) == {"keys": []}
            with pytest.raises(DocumentError, match="certificate"):
                await Documents(url, others).read(url)
    finally:
        await trusting.aclose()
        await others.aclose()


@pytest.mark.requirement("identity:documents-by-network")
async def test_an_issuer_outside_is_asked_through_the_proxy(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with publisher(tls=authority.server("login.example.com")) as issuer:
        issuer.publish("/jwks", {"keys": []})
        port = int(issuer.url.rpartition(":")[2])
        async with connect_proxy({"login.example.com": port}) as proxy:
            client = HttpClient(
                Network(proxy=f"http://127.0.0.1:{proxy.port}", ca=(authority.certificate,))
            )
            try:
                found = await Documents(PUBLIC, client).read(f"{PUBLIC}/jwks")
            finally:
                await client.aclose()

    assert found == {"keys": []}
    assert proxy.heads[0].startswith(b"CONNECT login.example.com:443 ")
