"""What a real OpenID provider takes back is over at the gateway: asked for, and told of."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from mcp_gateway.services import introspections
from tests.support.certificates import Authority
from tests.support.gateway import GatewayUnderTest, gateway_under_test
from tests.support.oidc_provider import REDIRECT, Provider, openid_provider
from tests.support.waiting import until

BOUND = 20.0
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
BEGIN = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {}}
STREAM = {"accept": "text/event-stream"}
SOON = 0.2
"""Seconds between two questions, in place of the fifteen of the gateway."""
CONFIG = """
[network]
ca = ["{authority}"]

[identity]
issuer = "{issuer}"
audience = "http://127.0.0.1:@PORT@/mcp"
client = "gateway"
client_secret = {file = "{secret}"}
"""
ASKED = 'introspection = "{issuer}/token/introspection"\n'
TOLD = 'backchannel = ["runtime"]\n'
SECRET = "the secret of the gateway"
RUNTIME = {
    "client_id": "runtime",
    "client_secret": "a secret",
    "grant_types": ["client_credentials", "authorization_code"],
    "redirect_uris": [REDIRECT],
    "response_types": ["code"],
}
GATEWAY = {
    "client_id": "gateway",
    "client_secret": SECRET,
    "grant_types": ["client_credentials"],
    "redirect_uris": [],
    "response_types": [],
}
FEATURES = {
    "introspection": {"enabled": True},
    "revocation": {"enabled": True},
    "backchannelLogout": {"enabled": True},
}


@dataclass
class World:
    issuer: Provider
    gateway: GatewayUnderTest

    async def signed_in(self, person: str) -> str:
        return (await self.issuer.sign_in(person, f"{self.gateway.url}/mcp")).access

    def holding(self, token: str) -> httpx2.AsyncClient:
        headers = {"authorization": f"Bearer {token}"}
        return httpx2.AsyncClient(base_url=self.gateway.url, headers=headers, timeout=BOUND)

    async def answer(self, token: str) -> httpx2.Response:
        async with self.holding(token) as http:
            return await http.post("/mcp", json=PING)

    async def until_status(self, token: str, status: int) -> httpx2.Response:
        async with asyncio.timeout(BOUND):
            while (answer := await self.answer(token)).status_code != status:
                await asyncio.sleep(0.02)
        return answer

    async def silent_for(self, seconds: int) -> dict[str, str]:
        """Waits, within a bound, until the issuer has been silent for so long."""
        async with asyncio.timeout(BOUND):
            while True:
                found = await self.troubles()
                told = re.search(r"does not answer .* for (\d+) s", str(found))
                if told and int(told[1]) >= seconds:
                    return found
                await asyncio.sleep(0.05)

    async def troubles(self) -> dict[str, str]:
        async with httpx2.AsyncClient(base_url=self.gateway.url) as http:
            return dict((await http.get("/readyz")).json()["troubles"])

    def revoked(self) -> list[Any]:
        return [line for line in self.gateway.entries() if line["kind"] == "revoked"]


@asynccontextmanager
async def _world(folder: Path, heard: str) -> AsyncIterator[World]:
    authority = Authority(folder)
    secret = folder / "secret"
    secret.write_text(SECRET, "utf-8")
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(
            openid_provider(
                folder, authority, keeps=True, features=FEATURES, clients=[RUNTIME, GATEWAY]
            )
        )
        text = (CONFIG + heard).replace("{issuer}", provider.url)
        text = text.replace("{authority}", authority.certificate).replace("{secret}", str(secret))
        gateway = await stack.enter_async_context(gateway_under_test(folder, text))
        await until(lambda: gateway.parts.tokens is not None and gateway.parts.tokens.ready)
        yield World(provider, gateway)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EVERY", "PAUSE"):
        monkeypatch.setattr(introspections, name, SOON)


@pytest.mark.usefixtures("quick")
@pytest.mark.requirement("revocation:issuers-are-asked")
async def test_a_token_that_the_provider_takes_back_is_refused_and_what_it_opened_ends(
    tmp_path: Path,
) -> None:
    async with _world(tmp_path, ASKED) as world:
        leaver, stays = await world.signed_in("leaver"), await world.signed_in("stays")
        async with world.holding(leaver) as http:
            begun = await http.post("/mcp", json=BEGIN)
            http.headers["mcp-session-id"] = begun.headers["mcp-session-id"]
            before = len(world.gateway.parts.sessions)
            async with http.stream("GET", "/mcp", headers=STREAM) as stream:
                assert stream.status_code == 200
                await world.issuer.revoke(leaver)
                refused = await world.until_status(leaver, 401)
                async with asyncio.timeout(BOUND):
                    await stream.aread()
            await until(lambda: len(world.gateway.parts.sessions) < before)

        assert "its issuer has taken the token back" in refused.text
        assert 'error="invalid_token"' in refused.headers["www-authenticate"]
        assert (await world.answer(stays)).status_code == 200
        await until(world.revoked)
        assert world.revoked()[0]["by"] == f"issuer:{world.issuer.url}"
        assert len(world.revoked()) == 1
        assert not [name for name in await world.troubles() if name.startswith("issuer")]


@pytest.mark.usefixtures("quick")
@pytest.mark.requirement("revocation:silent-issuers-are-not-believed")
async def test_an_issuer_that_does_not_answer_for_too_long_is_not_believed_until_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(introspections, "BOUND", 1.5)
    async with _world(tmp_path, ASKED) as world:
        known, fresh = await world.signed_in("ada"), await world.signed_in("ada")
        assert (await world.answer(known)).status_code == 200

        await world.issuer.end()
        refused = await world.until_status(known, 503)
        named = await world.silent_for(2)
        new = await world.answer(fresh)
        await world.issuer.start()

        assert "does not say whether the token is still good" in refused.text
        assert refused.headers["retry-after"] == "5"
        assert new.status_code == 503
        assert "does not answer" in named[f"issuer {world.issuer.url}"]
        # The provider keeps what it gave in memory: after its start it knows of none of it.
        assert (await world.until_status(known, 401)).status_code == 401
        assert (await world.answer(await world.signed_in("ada"))).status_code == 200


@pytest.mark.usefixtures("quick")
@pytest.mark.requirement("revocation:issuers-are-asked")
async def test_an_issuer_is_asked_from_the_configuration_on_that_says_so(tmp_path: Path) -> None:
    async with _world(tmp_path, "") as world:
        token = await world.signed_in("ada")
        unheard = await world.troubles()
        await world.issuer.revoke(token)
        before = (await world.answer(token)).status_code
        settings = world.gateway.parts.settings
        asks = {"introspection": f"{world.issuer.url}/token/introspection"}
        identity = settings.identity.model_copy(update=asks)

        await world.gateway.take(settings.model_copy(update={"identity": identity}))
        await world.until_status(token, 401)

        name = f"issuer {world.issuer.url}"
        assert before == 200
        assert "is good until it expires" in unheard[name]
        assert name not in await world.troubles()


@pytest.mark.requirement("revocation:issuers-tell-of-log-outs")
@pytest.mark.parametrize("by_session", [False, True])
async def test_who_logs_out_at_the_provider_is_out_here_within_a_second(
    tmp_path: Path, *, by_session: bool
) -> None:
    async with _world(tmp_path, TOLD) as world:
        told = {
            "backchannel_logout_uri": f"{world.gateway.url}/oauth/backchannel/issuer",
            "backchannel_logout_session_required": by_session,
        }
        await world.issuer.reconfigure(clients=[{**RUNTIME, **told}, GATEWAY])
        leaver, stays = await world.signed_in("leaver"), await world.signed_in("stays")
        assert [(await world.answer(token)).status_code for token in (leaver, stays)] == [200, 200]

        await world.issuer.sign_out("leaver")
        begun = time.monotonic()
        refused = await world.until_status(leaver, 401)

        assert time.monotonic() - begun < 1.0
        assert "revoked" in refused.text
        assert (await world.answer(stays)).status_code == 200
        names = {line["name"].partition(":")[0] for line in world.revoked()}
        assert names == ({"session", "sessionless"} if by_session else {"subject"})
        assert not [name for name in await world.troubles() if name.startswith("issuer")]
