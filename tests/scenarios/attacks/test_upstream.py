"""Attacks by upstreams, and by callers on what upstreams are shown."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from tests.connectors.http import Asked, Raw, Say, error, raw_upstream, result
from tests.support.gateway import GatewayUnderTest, gateway_under_test
from tests.support.identity_provider import SECRET, authority
from tests.support.publisher import publisher
from tests.support.tcp import plain

TOOL = {"name": "a", "inputSchema": {"type": "object"}}
OWN = "the-gateways-own-key"
CONFIG = """
[policy]
rules = ["@FOLDER@/all.csv"]

[servers.up]
connector = "mcp_http"
url = "@UP@"
grant = { @GRANT@ }
"""
STATIC = 'kind = "static", secret = { file = "@FOLDER@/key" }'
SERVICE = (
    'kind = "service", client = "the-gateway", client_secret = { file = "@FOLDER@/client" }, '
    'issuer = "@AS@", token = "@TOKEN@", resource = "@UP@"'
)
CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {
        "name": "up__a",
        "arguments": {},
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "c", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        },
    },
}
MODERN = {
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": "tools/call",
    "mcp-name": "up__a",
    "accept": "application/json, text/event-stream",
}


def sound(asked: Asked) -> bytes:
    if asked.method == "tools/list":
        return result(asked, {"resultType": "complete", "tools": [TOOL]})
    if asked.method != "tools/call":
        return error(asked, -32601)
    said = [{"type": "text", "text": "done"}]
    return result(asked, {"resultType": "complete", "content": said})


@asynccontextmanager
async def before(
    folder: Path, say: Say, grant: str = STATIC, **places: str
) -> AsyncIterator[tuple[GatewayUnderTest, Raw]]:
    """A gateway before this upstream, which is served already."""
    (folder / "all.csv").write_text("p, 10, all, *, *, */*/*, *, , allow,\n")
    (folder / "key").write_text(OWN)
    (folder / "client").write_text(SECRET)
    async with raw_upstream(say) as up:
        text = CONFIG.replace("@GRANT@", grant).replace("@UP@", up.url)
        for name, value in {"FOLDER": str(folder), **places}.items():
            text = text.replace(f"@{name}@", value)
        async with gateway_under_test(folder, text) as gateway:
            yield gateway, up


async def called(gateway: GatewayUnderTest, **headers: str) -> httpx2.Response:
    async with gateway.http("alice") as http:
        return await http.post("/mcp", json=CALL, headers={**MODERN, **headers})


@pytest.mark.requirement("attack:c10")
async def test_nothing_that_a_caller_shows_or_forges_reaches_an_upstream(tmp_path: Path) -> None:
    forged = {
        "cookie": "session=forged-cookie",
        "proxy-authorization": "Basic forged-proxy",
        "x-api-key": "forged-key",
        "x-forwarded-user": "forged-user",
        "x-authorization": "Bearer forged-again",
    }
    async with before(tmp_path, sound) as (gateway, up):
        await gateway.serving("up")
        answer = await called(gateway, **forged)
        token = gateway.keys["alice"]

    shown = [asked.head for asked in up.of("tools/call")]
    assert answer.status_code == 200, answer.text
    assert [head["authorization"] for head in shown] == [f"Bearer {OWN}"]
    written = repr([(asked.head, asked.message) for asked in up.asked])
    assert token not in written
    assert "forged" not in written


@pytest.mark.requirement("attack:c14")
@pytest.mark.parametrize("status", [b"301 Moved", b"302 Found", b"307 Again", b"308 Moved"])
async def test_an_upstream_that_points_elsewhere_sends_no_credential_there(
    tmp_path: Path, status: bytes
) -> None:
    async with publisher() as elsewhere:

        def pointing(asked: Asked) -> bytes:
            if asked.method != "tools/call":
                return sound(asked)
            return plain(b"", f"location: {elsewhere.url}/mcp".encode(), status=status)

        async with before(tmp_path, pointing) as (gateway, up):
            await gateway.serving("up")
            answer = await called(gateway)

    assert "upstream_failed" in answer.text
    assert elsewhere.url not in answer.text
    assert len(up.of("tools/call")) == 1
    assert elsewhere.asked == []


@pytest.mark.requirement("attack:c14")
async def test_a_token_endpoint_that_points_elsewhere_sends_no_secret_there(
    tmp_path: Path,
) -> None:
    async with publisher() as elsewhere, publisher() as pointing:
        location = f"location: {elsewhere.url}/token".encode()
        pointing.pages["/token"] = plain(b"", location, status=b"307 Temporary Redirect")
        with authority() as server:
            places = {"AS": server.url, "TOKEN": f"{pointing.url}/token"}
            async with before(tmp_path, sound, SERVICE, **places) as (gateway, up):
                answer = await called(gateway)

    assert "/token" in pointing.asked
    assert elsewhere.asked == []
    assert up.of("tools/call") == []
    assert "no tool is called" in answer.text


@pytest.mark.requirement("attack:c15")
async def test_a_cookie_that_an_upstream_sets_is_kept_by_nobody(tmp_path: Path) -> None:
    def setting(asked: Asked) -> bytes:
        said = sound(asked)
        return said.replace(b"\r\n", b"\r\nset-cookie: who=marked; Path=/\r\n", 1)

    async with before(tmp_path, setting) as (gateway, up):
        await gateway.serving("up")
        answers = [await called(gateway) for _ in range(2)]

    assert len(up.of("tools/call")) == 2
    assert not any("cookie" in asked.head for asked in up.asked)
    assert not any("set-cookie" in answer.headers for answer in answers)
    assert not any("marked" in answer.text for answer in answers)
