import json
from typing import Any

import pytest

from connectors.server_json import LARGEST, SCHEMA, read

GOOD: dict[str, Any] = {
    "$schema": SCHEMA,
    "name": "com.example/desk",
    "title": "Desk",
    "description": "The order desk.",
    "version": "1.2.3",
    "websiteUrl": "https://example.com",
    "remotes": [
        {
            "type": "streamable-http",
            "url": "https://{tenant}.example.com/mcp",
            "variables": {"tenant": {"description": "Yours", "isRequired": True}},
            "headers": [{"name": "X-API-Key", "isSecret": True}],
        }
    ],
}


def raw(**changes: Any) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


def remote(**changes: Any) -> bytes:
    return raw(remotes=[{**GOOD["remotes"][0], **changes}])


def test_a_server_is_read_with_its_remote_and_variables() -> None:
    server = read(raw())

    assert (server.name, server.website_url) == ("com.example/desk", "https://example.com")
    assert server.remotes[0].variables["tenant"].is_required
    assert server.remotes[0].headers[0].is_secret


def test_the_answer_of_a_registry_is_read_as_the_server_in_it() -> None:
    answer = {"server": GOOD, "_meta": {"io.modelcontextprotocol.registry/official": {}}}

    assert read(json.dumps(answer).encode()) == read(raw())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[]", "valid dictionary"),
        (b'{"name":1,"name":2}', "twice"),
        (b"{}", "name: Field required"),
        (raw(name="desk"), "name"),
        (raw(name="a/b/c"), "name"),
        (raw(name="a/b\n"), "name"),
        (raw(description="x" * 101), "description"),
        (raw(description=""), "description"),
        (raw(description="two\nlines"), "cannot be seen"),
        (raw(title="x" * 101), "title"),
        (raw(version="latest"), "version"),
        (raw(version="^1.2"), "version"),
        (raw(version="1.x"), "version"),
        (raw(website_url="x"), "website_url: Extra inputs"),
        (raw(icons=[{"src": "http://example.com/a.png"}]), "icons.0.src"),
        (raw(icons=[{"src": "https://example.com/a.png", "sizes": ["big"]}]), "icons.0.sizes"),
        (raw(repository={"url": "https://example.com"}), "repository.source"),
        (remote(type="stdio"), "remotes.0.type"),
        (remote(url="ftp://example.com"), "remotes.0.url"),
        (remote(url="https://{other}.example.com/"), "not described"),
        (remote(headers=[{"name": "X\r\nY"}]), "remotes.0.headers.0.name"),
        (b"x" * (LARGEST + 1), "bytes"),
    ],
)
def test_what_is_not_of_the_form_is_refused_in_words(content: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read(content)


def test_what_a_stranger_wrote_is_not_repeated() -> None:
    with pytest.raises(ValueError, match="name") as refused:
        read(raw(name="\x1b[2J", **{"\x1b]0;": 1}))

    assert "\x1b" not in str(refused.value)
