"""A gateway before a server that people connect with keys of their own, and what they do there."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import mcp_types as types

from mcp_gateway.core.grants import grant_key
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.target import Target
from mcp_gateway.core.views import View
from mcp_gateway.services.views import PersonalViews
from mcp_gateway.store.keys import LOCAL
from tests.support.gateway import BOUND, TENANT, GatewayUnderTest, gateway_under_test
from tests.support.keyed_upstream import Keyed, keyed_upstream

CONFIG = """
[policy]
rules = ["builtin:first-run", "rules.csv"]

[servers.notes]
connector = "mcp_http"
url = "@URL@"
discovery = "first_grant"
grant = { kind = "static", per_user = true }
"""
RULES = """\
p, 40, notes, role:user, *, */notes/*, *, , allow,
"""
LINK = re.compile(r"http://127\.0\.0\.1:\d+/connect/[A-Za-z0-9_-]{43}")


@asynccontextmanager
async def connectable(folder: Path) -> AsyncIterator[tuple[GatewayUnderTest, Keyed]]:
    """The gateway, which alice and bob may log in at, and the server."""
    (folder / "var").mkdir(mode=0o700)
    (folder / "var" / "rules.csv").write_text(RULES)
    async with (
        keyed_upstream(alices=["read", "write"], bobs=["read"]) as keyed,
        gateway_under_test(folder, CONFIG.replace("@URL@", keyed.url)) as running,
    ):
        running.key("bob", "user")
        await running.parts.keyring.refresh()
        await running.serving("notes")
        yield running, keyed


def link_in(text: str) -> str:
    found = LINK.search(text)
    assert found
    return found[0]


@asynccontextmanager
async def browser_of(gateway: GatewayUnderTest, who: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Somebody's browser, in which they have logged in with the key of their runtime."""
    async with httpx2.AsyncClient(base_url=gateway.url, timeout=BOUND) as browser:
        form = await browser.get("/oauth/login")
        asked = {"token": token_in(form.text), "key": gateway.keys[who]}
        answer = await browser.post("/oauth/login", data=asked)
        assert answer.status_code == 303, answer.text
        yield browser


def token_in(page: str) -> str:
    """That of the form on a page."""
    token = re.search(r'name="token" value="([0-9a-f]+)"', page)
    assert token
    return token[1]


async def opened(gateway: GatewayUnderTest, link: str, who: str, key: str = "") -> httpx2.Response:
    """What somebody is shown there; with a key, after the form was sent."""
    async with browser_of(gateway, who) as browser:
        shown = await browser.get(link)
        return await browser.post(link, data={"secret": key}) if key else shown


async def connect(gateway: GatewayUnderTest, who: str, key: str) -> None:
    """As the refusal of a call says."""
    async with gateway.as_(who) as client:
        refused = await client.call_tool("connect_notes", {})
    answer = await opened(gateway, link_in(text_of(refused)), who, key)
    assert answer.status_code == 200, answer.text
    whose = grant_key(Principal(LOCAL, who, TENANT), "notes")
    await until(lambda: whose in views_of(gateway) and ("tool", "notes__read") in catalog(gateway))


def views_of(gateway: GatewayUnderTest) -> Mapping[Any, View]:
    views = gateway.parts.wired.views
    assert isinstance(views, PersonalViews)
    return views._views


def catalog(gateway: GatewayUnderTest) -> Mapping[Any, Target]:
    world = gateway.parts.current.of(TENANT)
    assert world
    return world.catalog


def text_of(result: types.CallToolResult) -> str:
    first = result.content[0]
    assert isinstance(first, types.TextContent)
    return first.text


async def until(true: Any) -> None:
    async with asyncio.timeout(BOUND):
        while not true():
            await asyncio.sleep(0.02)


async def names(gateway: GatewayUnderTest, who: str, mode: str = "auto") -> set[str]:
    async with gateway.as_(who, mode) as client:
        return {
            tool.name
            for tool in (await client.list_tools()).tools
            if not tool.name.startswith("gateway__")
        }
