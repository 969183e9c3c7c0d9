"""Documents of clients: pinned, or fetched from strangers with care, and kept for a while."""

import asyncio
import json
import logging
from typing import Any

import pytest

from mcp_gateway.core.errors import Overloaded
from mcp_gateway.oauth.server import cimd
from mcp_gateway.oauth.server.rfc6749 import OAuthError
from mcp_gateway.services.authorization import documents
from mcp_gateway.services.authorization.documents import EACH, REFUSED
from tests.support.strangers import ID, PATH, Meeting, Site, document, page
from tests.support.tcp import plain
from tests.support.tokens import EC, public

PEER = "192.0.2.1"


async def refused(meeting: Meeting, client: str = ID, peer: str = PEER) -> OAuthError:
    with pytest.raises(OAuthError) as found:
        await meeting.documents.client(client, peer)
    return found.value


@pytest.mark.requirement("clients:documents")
async def test_a_client_is_what_its_document_says(web: Site, published: Meeting) -> None:
    web.web.publish(PATH, document(scope="mcp"))

    client = await published.documents.client(ID, PEER)

    assert (client.id, client.kind, client.name) == (ID, "cimd", "App")
    assert (client.host, client.verified, client.method) == ("app.example.com", True, "none")
    assert client.redirects == ("http://127.0.0.1/callback",)
    assert client.scopes == {"mcp"}
    assert published.ledger.last.kind == "client.fetched"
    assert published.ledger.last.body == {
        "client": ID,
        "way": "cimd",
        "host": "app.example.com",
        "redirect_hosts": ["127.0.0.1"],
    }


async def test_a_client_without_a_name_goes_by_its_host(web: Site, published: Meeting) -> None:
    web.web.publish(PATH, document(client_name="\u202e"))

    assert (await published.documents.client(ID, PEER)).name == "app.example.com"


@pytest.mark.requirement("clients:documents")
async def test_a_document_is_fetched_once_by_all_who_want_it_in_every_process(
    web: Site, published: Meeting
) -> None:
    web.web.publish(PATH, document())
    elsewhere, _ = published.another()

    await asyncio.gather(*(published.documents.client(ID, PEER) for _ in range(20)))
    await elsewhere.client(ID, PEER)

    assert web.web.asked == [PATH]
    assert published.ledger.kinds == ["client.fetched"]


@pytest.mark.parametrize(("control", "lasts"), [(b"max-age=3600", 3600), (b"no-store", 300)])
async def test_a_document_is_fetched_again_when_its_time_is_over(
    web: Site, published: Meeting, control: bytes, lasts: int
) -> None:
    web.web.pages[PATH] = page(document(), b"cache-control: " + control)
    await published.documents.client(ID, PEER)
    web.web.publish(PATH, document(redirect_uris=["https://app.example.com/new"]))

    published.now += lasts - 1
    before = await published.documents.client(ID, PEER)
    published.now += 2
    after = await published.documents.client(ID, PEER)

    assert before.redirects == ("http://127.0.0.1/callback",)
    assert after.redirects == ("https://app.example.com/new",)
    assert len(web.web.asked) == 2


async def test_a_document_that_cannot_be_had_for_a_while_stands_for_a_day(
    web: Site, published: Meeting
) -> None:
    web.web.publish(PATH, document())
    await published.documents.client(ID, PEER)
    web.web.pages[PATH] = page(b"{}", status=b"503 Away")

    published.now += cimd.LONGEST - 1
    stale = await published.documents.client(ID, PEER)
    again = await published.documents.client(ID, PEER)
    published.now += 2 + REFUSED
    over = await refused(published)

    assert stale.name == again.name == "App"
    assert len(web.web.asked) == 3
    assert (over.code, over.status) == ("temporarily_unavailable", 503)


async def test_a_document_that_was_taken_back_stands_no_longer(
    web: Site, published: Meeting
) -> None:
    web.web.publish(PATH, document())
    await published.documents.client(ID, PEER)
    del web.web.pages[PATH]

    published.now += 301

    assert (await refused(published)).code == "invalid_client"


@pytest.mark.requirement("attack:d9")
@pytest.mark.parametrize(
    "answer",
    [
        page(document("https://app.example.com/oauth/other.json")),
        page(document(client_secret="s")),
        page(document(redirect_uris=["http://evil.example/cb"])),
        page(document(token_endpoint_auth_method="client_secret_post")),
        page(document(token_endpoint_auth_method="private_key_jwt", jwks={"keys": []})),
        page([document()]),
        page(b"<html>sign in</html>"),
        page(document(), media=b"content-type: text/html"),
        page(document(), media=b"x-content-type: application/json"),
        page(document(), media=b"content-type: text/plain; application/json"),
        page(document(), status=b"404 Not Found"),
        page(document(), status=b"201 Created"),
    ],
)
async def test_what_is_no_document_of_the_client_makes_none(
    web: Site, published: Meeting, answer: bytes
) -> None:
    web.web.pages[PATH] = answer

    assert (await refused(published)).code == "invalid_client"
    assert published.kept.find(ID) is None
    assert published.ledger.entries == []


@pytest.mark.requirement("attack:d10")
@pytest.mark.parametrize("status", [b"301 Moved", b"302 Found", b"307 Other", b"308 Moved"])
async def test_a_redirect_is_not_followed(web: Site, published: Meeting, status: bytes) -> None:
    web.web.publish("/else", document())
    web.web.pages[PATH] = page(document(), b"location: /else", status=status)

    assert "redirects are not followed" in (await refused(published)).description
    assert web.web.asked == [PATH]


@pytest.mark.requirement("attack:d10")
@pytest.mark.parametrize("framing", ["content-length", "chunked", "until the end"])
async def test_a_huge_document_is_not_read(web: Site, published: Meeting, framing: str) -> None:
    body = json.dumps(document(pad="x" * cimd.MOST)).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
    web.web.pages[PATH] = {
        "content-length": plain(body, b"content-type: application/json"),
        "chunked": head + b"transfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(body), body),
        "until the end": head + b"\r\n" + body,
    }[framing]

    assert (await refused(published)).status in (400, 503)
    assert published.kept.find(ID) is None


@pytest.mark.requirement("attack:d10")
async def test_a_slow_document_is_not_waited_for(
    web: Site, published: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "WITHIN", 0.2)
    web.web.pages[PATH] = page(document())[:-5]

    async with asyncio.timeout(5):
        assert (await refused(published)).code == "temporarily_unavailable"


@pytest.mark.requirement("attack:d10")
async def test_what_could_not_be_had_is_not_asked_for_again_for_a_minute(
    web: Site, published: Meeting
) -> None:
    await refused(published)
    web.web.publish(PATH, document())

    again = await refused(published, peer="192.0.2.2")
    published.now += REFUSED + 1
    client = await published.documents.client(ID, PEER)

    assert again.code == "invalid_client"
    assert client.name == "App"
    assert len(web.web.asked) == 2


@pytest.mark.requirement("attack:d10")
async def test_an_address_causes_so_many_fetches_and_hinders_no_other(
    web: Site, published: Meeting
) -> None:
    for number in range(EACH.burst):
        await refused(published, f"https://app.example.com/{number}")
    web.web.publish(PATH, document())

    limited = await refused(published)
    client = await published.documents.client(ID, "192.0.2.2")

    assert (limited.code, limited.status) == ("temporarily_unavailable", 429)
    assert client.name == "App"
    assert len(web.web.asked) == EACH.burst + 1


async def test_what_is_refused_is_remembered_within_bounds(
    web: Site, published: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "MOST_REFUSED", 3)

    for number in range(8):
        await refused(published, f"https://app.example.com/{number}")

    assert len(published.documents._refused) <= 3
    assert published.documents._turns == {}


async def test_a_fetch_that_cannot_be_recorded_makes_no_client(
    web: Site, published: Meeting
) -> None:
    web.web.publish(PATH, document())
    published.ledger.broken.add("client.fetched")

    with pytest.raises(Overloaded):
        await published.documents.client(ID, PEER)

    assert published.kept.find(ID) is None


@pytest.mark.requirement("clients:pinned")
async def test_pinned_documents_are_never_fetched(web: Site, published: Meeting) -> None:
    web.web.publish(PATH, document(client_name="Fetched"))
    published.documents.swap(
        {ID: json.dumps(document(client_name="Pinned")).encode()}, fetching=True
    )

    assert (await published.documents.client(ID, PEER)).name == "Pinned"
    assert web.web.asked == []


async def test_a_site_can_take_pinned_documents_alone(web: Site, published: Meeting) -> None:
    web.web.publish(PATH, document())
    published.documents.swap({}, fetching=False)

    assert "pinned" in (await refused(published)).description
    assert web.web.asked == []


async def test_a_client_that_signs_is_known_by_the_keys_of_its_document(
    web: Site, published: Meeting
) -> None:
    method = "private_key_jwt"
    web.web.publish(PATH, document(token_endpoint_auth_method=method, jwks=public(EC)))

    client = await published.documents.client(ID, PEER)

    assert client.keys is not None
    assert [key.kid for key in client.keys.keys] == ["ec"]


@pytest.mark.parametrize("private", [[], ["app"]])
async def test_the_schemes_of_the_moment_count_for_what_is_kept_too(
    web: Site, published: Meeting, private: list[str]
) -> None:
    published.private = ["app"]
    web.web.publish(PATH, document(redirect_uris=["app://callback"]))
    await published.documents.client(ID, PEER)

    published.private = private
    found: Any = await published.documents.client(ID, PEER) if private else await refused(published)

    assert getattr(found, "code", "") == ("" if private else "invalid_redirect_uri")


async def test_nothing_that_a_publisher_says_is_repeated_in_a_log(
    web: Site, published: Meeting, caplog: pytest.LogCaptureFixture
) -> None:
    web.web.pages[PATH] = b"HTTP/1.1 200 forged\x1b[31m line\r\nnot a header\r\n\r\n"

    with caplog.at_level(logging.WARNING):
        await refused(published)

    assert "\x1b" not in caplog.text
    assert "the document of a client at" in caplog.text
