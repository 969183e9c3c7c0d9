"""A gateway before a server whose people consent at a real provider, and how they do."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from pathlib import Path

import httpx2

from tests.support.certificates import Authority
from tests.support.connected import RULES, browser_of, link_in, text_of
from tests.support.gateway import GatewayUnderTest, gateway_under_test
from tests.support.keyed_upstream import Keyed, keyed_upstream
from tests.support.oidc_provider import Provider, openid_provider

CONFIG = """
[network]
ca = ["@CA@"]

[policy]
rules = ["builtin:first-run", "rules.csv"]

[servers.notes]
connector = "mcp_http"
url = "@URL@"
discovery = "first_grant"
grant = { kind = "delegated", scopes = ["orders:read"] }
"""
REGISTERS = {"registration": {"enabled": True}, "revocation": {"enabled": True}}
World = tuple[GatewayUnderTest, Keyed, Provider]


@asynccontextmanager
async def consenting(folder: Path) -> AsyncIterator[World]:
    (folder / "var").mkdir(mode=0o700)
    (folder / "var" / "rules.csv").write_text(RULES)
    authority = Authority(folder)
    async with (
        openid_provider(folder, authority, features=REGISTERS) as provider,
        keyed_upstream(ada=["read", "write"]) as keyed,
    ):
        keyed.issuer = provider.url
        config = CONFIG.replace("@CA@", authority.certificate).replace("@URL@", keyed.url)
        async with gateway_under_test(folder, config) as gateway:
            await gateway.serving("notes")
            yield gateway, keyed, provider


async def link_of(gateway: GatewayUnderTest, who: str = "alice") -> str:
    async with gateway.as_(who) as client:
        return link_in(text_of(await client.call_tool("connect_notes", {})))


async def leaving(browser: httpx2.AsyncClient, link: str) -> str:
    """Where the browser of who follows a link goes to consent."""
    await browser.get(link)
    page = await browser.post(link)
    assert page.status_code == 200, page.text
    address = re.search(r'<a href="([^"]+)"', page.text)
    assert address
    return unescape(address[1])


async def consent(gateway: GatewayUnderTest, provider: Provider) -> httpx2.Response:
    """Alice follows the link of the tool, and is ada at the provider."""
    link = await link_of(gateway)
    async with browser_of(gateway, "alice") as browser:
        back = await provider.agreed(await leaving(browser, link), "ada")
        return await browser.get(f"{gateway.url}/connect/callback", params=back)
