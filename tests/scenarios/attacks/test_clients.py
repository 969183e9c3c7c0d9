"""Attacks of clients: what strangers say of themselves, and where they would have codes sent."""

import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.scenarios.test_authorization import asking, registered
from tests.support.connected import browser_of
from tests.support.gateway import BOUND, GatewayUnderTest, gateway_under_test

CLAUDE_CODE = "https://claude.ai/oauth/claude-code-client-metadata"
CONFIG = """
[network]
private_upstreams = ["127.0.0.0/8", "::1/128", "169.254.0.0/16"]

[authorization]
enabled = true
registration_each = "6000/minute"
"""

World = tuple[GatewayUnderTest, httpx2.AsyncClient]


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A gateway whose upstreams may be on this machine, and somebody without a credential."""
    folder: Path = tmp_path_factory.mktemp("clients")
    async with (
        gateway_under_test(folder, CONFIG) as gateway,
        httpx2.AsyncClient(base_url=gateway.url, timeout=BOUND) as anybody,
    ):
        yield gateway, anybody


async def asked(world: World, client: str, **changes: str) -> httpx2.Response:
    return await world[1].get("/oauth/authorize", params=asking(client, **changes))


@pytest.mark.requirement("attack:d1")
@pytest.mark.parametrize(
    "redirect",
    [
        "http://localhost:80@evil.example/callback",
        "http://localhost:7777/callback@evil.example",
        "http://localhost.:7777/callback",
        "http://localhost:7777/x/../callback",
        "http://localhost:7777/%2e%2e/callback",
        "http://localhost:7777/other",
        "http://localhost:7777/callback#x",
        "http://localhost:7777/callback?next=https://evil.example",
        "http://LOCALHOST:7777/callback",
        "http://[not-an-ip]:7777/callback",
        "http://[::1]:7777/callback",
        "http://127.0.0.2:7777/callback",
        "http://xn--lcalhost-hxb.example/callback",
        "https://localhost:7777/callback",
        "https://evil.example/callback",
        "//evil.example/callback",
        "javascript:alert(1)",
    ],
)
async def test_no_code_goes_where_the_client_is_not(world: World, redirect: str) -> None:
    refused = await asked(world, CLAUDE_CODE, redirect_uri=redirect)
    taken = await asked(world, CLAUDE_CODE, redirect_uri="http://localhost:51180/callback")

    assert refused.status_code == 400
    assert "location" not in refused.headers
    assert taken.status_code == 303


@pytest.mark.requirement("attack:d9")
@pytest.mark.parametrize(
    "client",
    [
        "https://claude.ai/oauth/../oauth/claude-code-client-metadata",
        "https://claude.ai/oauth/./claude-code-client-metadata",
        "https://claude.ai/oauth/%63laude-code-client-metadata",
        "https://claude.ai:443/oauth/claude-code-client-metadata",
        "https://CLAUDE.ai/oauth/claude-code-client-metadata",
        "https://claude.ai./oauth/claude-code-client-metadata",
        "https://x@claude.ai/oauth/claude-code-client-metadata",
        "https://claude.ai@127.0.0.1/oauth/claude-code-client-metadata",
        "https://claude.ai/oauth/claude-code-client-metadata?x",
        "https://claude.ai/oauth/claude-code-client-metadata#x",
        "http://claude.ai/oauth/claude-code-client-metadata",
        "https://claude.ai/",
    ],
)
async def test_a_client_is_known_by_one_spelling_of_its_id(world: World, client: str) -> None:
    answer = await asked(world, client, redirect_uri="http://localhost:51180/callback")

    assert answer.status_code == 400
    assert "location" not in answer.headers


@pytest.mark.requirement("attack:d11")
@pytest.mark.parametrize(
    "client",
    [
        "https://127.0.0.1/client.json",
        "https://localhost/client.json",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/client.json",
        "https://100.100.100.200/client.json",
        "https://0.0.0.0/client.json",
        "https://2130706433/client.json",
        "https://0x7f.1/client.json",
        "https://127.1/client.json",
    ],
)
async def test_what_upstreams_may_reach_a_stranger_may_not(
    world: World, client: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "mcp_gateway.services.authorization.documents"):
        answer = await asked(world, client)

    assert answer.status_code in (400, 503)
    assert "location" not in answer.headers
    assert "is not a public address" in caplog.text or "no usual form" in caplog.text


@pytest.mark.requirement("attack:d2")
async def test_a_name_that_is_taken_brings_nothing_that_belongs_to_it(world: World) -> None:
    gateway, anybody = world
    impostor = await registered(
        anybody, client_name="Claude Code", client_uri="https://claude.ai", client_id=CLAUDE_CODE
    )
    async with browser_of(gateway, "alice") as browser:
        page = await browser.get("/oauth/authorize", params=asking(impostor), follow_redirects=True)

    assert impostor != CLAUDE_CODE
    assert "anybody can take this name" in " ".join(page.text.split())
    assert "claude.ai" not in page.text


@pytest.mark.requirement("attack:d16")
async def test_a_name_forges_no_line_and_turns_no_text(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    gateway, anybody = world
    name = 'App\r\n{"kind":"forged"}\x1b[2K\u202ekcilc\u2028<b>bold</b>'
    with caplog.at_level(logging.DEBUG):
        client = await registered(anybody, client_name=name)
    async with browser_of(gateway, "alice") as browser:
        page = await browser.get("/oauth/authorize", params=asking(client), follow_redirects=True)

    raw = json.dumps(gateway.entries(), ensure_ascii=False)
    entry = next(line for line in gateway.entries() if line.get("client") == client)
    assert entry["kind"] == "client.registered"
    for hidden in ("\u202e", "\u2028", "\x1b"):
        assert hidden not in page.text + caplog.text + raw
    assert "<b>bold" not in page.text
    assert '{"kind":"forged"}' not in raw


async def registering(anybody: httpx2.AsyncClient, said: Any) -> httpx2.Response:
    return await anybody.post(
        "/oauth/register",
        content=json.dumps(said),
        headers={"content-type": "application/json"},
    )


@pytest.mark.requirement("attack:d2")
async def test_metadata_of_any_shape_is_refused_and_breaks_nothing(world: World) -> None:
    _, anybody = world
    shapes: list[Any] = [None, 5, "x", [], {}, {"redirect_uris": {}}, {"redirect_uris": [[]]}]
    base = {"redirect_uris": ["http://127.0.0.1/cb"]}
    shapes += [{**base, key: value} for key in KEYS for value in ([["a"]], {"a": 1}, 5, True)]

    for said in shapes:
        answer = await registering(anybody, said)
        assert answer.status_code in (201, 400), said
        assert answer.headers["content-type"] == "application/json"


KEYS = ("token_endpoint_auth_method", "grant_types", "response_types", "scope", "client_name")
