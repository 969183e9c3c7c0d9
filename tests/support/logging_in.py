"""A gateway whose people log in at a real provider, and their browsers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import httpx2

from tests.support.certificates import Authority
from tests.support.gateway import BOUND, GatewayUnderTest, free_port, gateway_under_test
from tests.support.oidc_provider import Provider, openid_provider

START: Final = "/oauth/login/start"
CALLBACK: Final = "/oauth/login/callback"
SECRET: Final = "marked-secret-of-the-gateway"
PEOPLE: Final = {
    "ada": {"name": "Ada L.", "roles": ["staff", "ops"]},
    "bob": {"name": "Bob M.", "roles": []},
}
CONFIG: Final = """url = "@PUBLIC@"

[network]
ca = ["@CA@"]

[authorization]
enabled = true
keys = false

[authorization.login]
issuer = "@ISSUER@"
client = "gateway"
secret = { env = "LOGIN_SECRET" }
name = "Example Works"
role_map = { ops = ["operator"] }

[servers.time]
connector = "mcp_stdio"
command = ["@PYTHON@", "@EXAMPLE@"]
"""


@dataclass
class World:
    """A provider, and what a gateway in front of it is configured with."""

    folder: Path
    provider: Provider
    port: int
    config: str

    @asynccontextmanager
    async def gateway(self, port: int = 0) -> AsyncIterator[GatewayUnderTest]:
        """At its URL; at another port, one more behind the same URL."""
        async with gateway_under_test(self.folder, self.config, port or self.port) as running:
            await running.serving("time")
            yield running


@asynccontextmanager
async def world(folder: Path, **provider: Any) -> AsyncIterator[World]:
    """`LOGIN_SECRET` has to be in the environment."""
    port, authority = free_port(), Authority(folder)
    client = {
        "client_id": "gateway",
        "client_secret": SECRET,
        "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": [f"http://127.0.0.1:{port}{CALLBACK}"],
        "response_types": ["code"],
    }
    more = {"clients": [client], "people": PEOPLE, **provider}
    async with openid_provider(folder, authority, **more) as running:
        yield World(folder, running, port, config_of(running.url, port, authority))


def config_of(issuer: str, port: int, authority: Authority) -> str:
    """Of a gateway at a port, whose people log in at an issuer."""
    text = CONFIG.replace("@PUBLIC@", f"http://127.0.0.1:{port}")
    return text.replace("@CA@", authority.certificate).replace("@ISSUER@", issuer)


def browser_at(gateway: GatewayUnderTest) -> httpx2.AsyncClient:
    """Somebody's browser, in which nobody has logged in."""
    return httpx2.AsyncClient(base_url=gateway.url, timeout=BOUND)


async def sent(browser: httpx2.AsyncClient, next_: str = "/connections") -> str:
    """Where the browser is sent that wants to log in to see a page."""
    answer = await browser.get(START, params={"next": next_})
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def asked(address: str) -> dict[str, str]:
    """What an address asks for."""
    return dict(parse_qsl(urlsplit(unescape(address)).query))


async def log_in(
    browser: httpx2.AsyncClient, provider: Provider, who: str, next_: str = "/connections"
) -> httpx2.Response:
    """What the gateway answers somebody who logged in at the provider, and came back."""
    back = await provider.agreed(await sent(browser, next_), who)
    return await browser.get(CALLBACK, params=back)
