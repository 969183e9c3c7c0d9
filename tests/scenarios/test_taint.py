"""Marked secrets go through everything, and are found again in nothing that the gateway writes."""

import gc
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any, Final

import httpx2
import pytest

from tests.connectors.http import Asked, error, raw_upstream, result
from tests.support.gateway import GatewayUnderTest, gateway_under_test
from tests.support.identity_provider import SECRET, Authority, authority
from tests.support.tcp import plain

MARK: Final = "marked"
OURS: Final = ("mcp_gateway", "connectors", "policies", "local_models", "skills")
TOOL: Final = {"name": "a", "inputSchema": {"type": "object"}}
SERVERS: Final = ("static", "service", "exchanged", "vouched")
CONFIG: Final = """
[policy]
rules = ["@FOLDER@/all.csv"]

[identity]
issuer = "@ISSUER@"
audience = "@ISSUER@/gateway"
jwks = "@ISSUER@/jwks"
algorithms = ["ES256"]

[vault]
key = { file = "@FOLDER@/vault" }

[servers.static]
connector = "mcp_http"
url = "@UP@"
grant = { kind = "static", secret = { file = "@FOLDER@/static" } }

[servers.service]
connector = "mcp_http"
url = "@UP@"
grant = { kind = "service", @CLIENT@ }

[servers.exchanged]
connector = "mcp_http"
url = "@UP@"
discovery_grant = { kind = "service", @CLIENT@ }
grant = { kind = "token_exchange", @CLIENT@ }

[servers.vouched]
connector = "mcp_http"
url = "@UP@"
discovery_grant = { kind = "service", @CLIENT@ }
grant = { kind = "id_jag", provider = "@ISSUER@/token", @CLIENT@ }
"""
CLIENT: Final = """client = "the-gateway", client_secret = { file = "@FOLDER@/client" },
 issuer = "@SERVER@", resource = "@UP@", scopes = ["orders:read"]""".replace("\n", "")


class Upstream:
    """Refuses what it is shown now and then, and says back what it was shown never."""

    def __init__(self) -> None:
        self.chance = Random(7)
        self.shown: set[str] = set()

    def __call__(self, asked: Asked) -> bytes:
        if asked.method == "tools/list":
            return result(asked, {"resultType": "complete", "tools": [TOOL]})
        if asked.method != "tools/call":
            return error(asked, -32601)
        self.shown.add(asked.head.get("authorization", ""))
        lot = self.chance.random()
        if lot < 0.2:
            return plain(b"no", status=b"401 Unauthorized")
        if lot < 0.3:
            challenge = b'www-authenticate: Bearer error="insufficient_scope", scope="more"'
            return plain(b"no", challenge, status=b"403 Forbidden")
        if lot < 0.4:
            return plain(b"away", status=b"502 Bad Gateway")
        said = [{"type": "text", "text": "done"}]
        return result(asked, {"resultType": "complete", "content": said})


@asynccontextmanager
async def _tainted(
    folder: Path,
) -> AsyncIterator[tuple[GatewayUnderTest, Upstream, Authority, Authority]]:
    say = Upstream()
    (folder / "all.csv").write_text("p, 10, all, *, *, */*/*, *, , allow,\n")
    secrets = {"vault": "0f" * 32, "static": f"{MARK}-static", "client": SECRET}
    for name, secret in secrets.items():
        (folder / name).write_text(secret)
    with authority() as provider, authority() as server:
        server.trusts.append(provider)
        async with raw_upstream(say) as up:
            config = CONFIG.replace("@CLIENT@", CLIENT).replace("@FOLDER@", str(folder))
            config = config.replace("@UP@", up.url).replace("@SERVER@", server.url)
            async with gateway_under_test(
                folder, config.replace("@ISSUER@", provider.url)
            ) as running:
                await running.serving(*SERVERS)
                yield running, say, provider, server


def _live() -> Iterator[Any]:
    """Every object of our own types that there is."""
    for found in gc.get_objects():
        if str(type(found).__module__).partition(".")[0] in OURS:
            yield found


def _signature(token: str) -> str:
    return token.rpartition(".")[2]


async def _calls(gateway: GatewayUnderTest, subject: str, times: int) -> list[str]:
    """What a caller is told, of calls at every server."""
    async with gateway.as_(subject) as client:
        return [
            str(await client.call_tool(f"{server}__a", {"n": number}))
            for number in range(times)
            for server in SERVERS
        ]


async def _failing(gateway: GatewayUnderTest, secrets: list[str]) -> list[str]:
    """What strangers are told who show what they should not."""
    told: list[str] = []
    async with httpx2.AsyncClient(base_url=gateway.url) as http:
        for secret in secrets:
            headers = {"authorization": f"Bearer {secret}x"}
            paths = ("/mcp", "/servers/static/mcp", "/admin/keys", f"/{secret}"[:200])
            told += [(await http.post(path, headers=headers, json={})).text for path in paths]
        told += [(await http.get(path)).text for path in ("/metrics", "/readyz", "/healthz")]
    return told


@pytest.mark.requirement("vault:no-secret-is-written")
@pytest.mark.requirement("attack:b8")
async def test_no_secret_that_went_through_is_in_anything_that_is_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with _tainted(tmp_path) as (gateway, upstream, provider, server):
        about: dict[str, Any] = {
            "aud": f"{provider.url}/gateway",
            "client_id": "runtime",
            "roles": ["user"],
        }
        gateway.keys["ada"] = provider.signed(sub="ada", jti="t-1", **about)
        told = [*await _calls(gateway, "ada", 15), *await _calls(gateway, "alice", 5)]
        told += await _failing(gateway, [gateway.keys["ada"], gateway.keys["alice"]])
        seen = {type(found) for found in _live()}
        shown = [repr(found) for found in _live()]
        entries = str(gateway.entries())

    logged = [r.getMessage() + str(r.exc_text) for r in caplog.records if r.name.startswith(OURS)]
    files = [path.read_bytes() for path in (tmp_path / "var").rglob("*") if path.is_file()]
    written = "\n".join([*told, *shown, *logged, entries]).encode() + b"".join(files)
    given = {_signature(token) for authority in (provider, server) for token in authority.given}
    marks = {*given, SECRET, f"{MARK}-static", "0f" * 32, gateway.keys["alice"]}
    assert len(upstream.shown) > 5
    assert not any(_signature(gateway.keys["ada"]) in header for header in upstream.shown)
    assert len(seen) > 100
    assert len(given) > 10
    assert "credential_scopes" in entries
    assert [mark for mark in marks if mark.encode() in written] == []
