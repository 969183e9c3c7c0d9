"""What an upstream says of itself is believed about itself only."""

import pytest

from mcp_gateway.oauth.documents import DocumentError, Documents, NotThereError
from mcp_gateway.oauth.upstream.rfc9728 import Resource, covers, places, resource
from mcp_gateway.wire.http import HttpClient
from tests.support.publisher import publisher
from tests.support.tcp import plain

PATH = "/.well-known/oauth-protected-resource"


@pytest.mark.requirement("upstream:discovery-in-order")
def test_the_challenge_is_looked_at_first_then_the_path_then_the_root() -> None:
    url = "https://up.example.com/a/mcp?x=1"
    root = f"https://up.example.com{PATH}"

    assert places(url, "https://x.example/m") == ("https://x.example/m", f"{root}/a/mcp", root)
    assert places("https://up.example.com/", "") == (root,)


async def test_the_first_document_that_is_there_counts(http: HttpClient) -> None:
    async with publisher() as up:
        url = f"{up.url}/mcp"
        document = {
            "resource": url,
            "authorization_servers": ["https://as"],
            "scopes_supported": ["a"],
        }
        up.publish(PATH, document)

        found = await resource(url, f"{up.url}/gone", Documents(url, http))

    assert found == Resource(url, ("https://as",), frozenset("a"))
    assert up.asked == ["/gone", f"{PATH}/mcp", PATH]


async def test_nothing_anywhere_is_told_from_an_upstream_that_is_out_of_order(
    http: HttpClient,
) -> None:
    async with publisher() as up:
        url = f"{up.url}/mcp"
        with pytest.raises(NotThereError):
            await resource(url, "", Documents(url, http))
        for status in (b"500 Oops", b"503 Busy", b"429 Slower", b"302 Found"):
            up.pages[f"{PATH}/mcp"] = plain(b"", b"location: /x", status=status)
            with pytest.raises(DocumentError) as told:
                await resource(url, "", Documents(url, http))
            assert not isinstance(told.value, NotThereError)


@pytest.mark.requirement("attack:c3")
@pytest.mark.parametrize(
    "name",
    [
        "https://evil.example.com/mcp",
        "{url}/deeper",
        "{url}x",
        "{url}/../mcp",
        "{url}#here",
        "http://localhost@evil.example.com/",
        "urn:x",
        5,
        None,
    ],
)
async def test_the_metadata_of_another_resource_is_refused(
    http: HttpClient, name: str | int | None
) -> None:
    async with publisher() as up:
        url = f"{up.url}/mcp"
        said = name.format(url=url) if isinstance(name, str) else name
        up.publish(f"{PATH}/mcp", {"resource": said, "authorization_servers": []})

        with pytest.raises(DocumentError, match="is of the resource"):
            await resource(url, "", Documents(url, http))


async def test_the_name_that_is_configured_may_be_another(http: HttpClient) -> None:
    async with publisher() as up:
        url, name = f"{up.url}/mcp", "api://orders"
        up.publish(f"{PATH}/mcp", {"resource": name, "authorization_servers": []})

        found = await resource(url, "", Documents(url, http), expected=name)
        with pytest.raises(DocumentError, match="is of the resource"):
            await resource(url, "", Documents(url, http), expected="api://other")

    assert found.name == name


@pytest.mark.parametrize(
    ("name", "url", "covered"),
    [
        ("https://a.example", "https://a.example/mcp", True),
        ("https://a.example:443/", "https://A.example/mcp", True),
        ("https://a.example/m", "https://a.example/mcp", False),
        ("https://a.example/mcp/", "https://a.example/mcp", True),
        ("http://a.example/mcp", "https://a.example/mcp", False),
    ],
)
def test_a_resource_covers_itself_and_what_is_below(name: str, url: str, *, covered: bool) -> None:
    assert covers(name, url) is covered


@pytest.mark.parametrize("scopes", ["a", [1], ['a"b'], {"a": 1}])
async def test_scopes_that_are_none_are_refused(http: HttpClient, scopes: object) -> None:
    async with publisher() as up:
        url = f"{up.url}/mcp"
        said = {"resource": url, "authorization_servers": [], "scopes_supported": scopes}
        up.publish(f"{PATH}/mcp", said)
        with pytest.raises(DocumentError, match="scopes_supported"):
            await resource(url, "", Documents(url, http))


@pytest.mark.parametrize("issuers", [None, "https://as", [1]])
async def test_metadata_without_a_list_of_servers_is_refused(
    http: HttpClient, issuers: object
) -> None:
    async with publisher() as up:
        url = f"{up.url}/mcp"
        up.publish(f"{PATH}/mcp", {"resource": url, "authorization_servers": issuers})
        with pytest.raises(DocumentError, match="names no authorization servers"):
            await resource(url, "", Documents(url, http))
