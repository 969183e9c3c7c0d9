"""Runtimes whose client id is a URL: a document of theirs is fetched, or was pinned."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mcp_gateway.services.authorization.pinned import SHIPPED
from mcp_gateway.wire import jsonrpc
from tests.scenarios.test_authorization import asking
from tests.support.connected import browser_of, text_of
from tests.support.gateway import GatewayUnderTest, gateway_under_test
from tests.support.runtime_oauth import Runtime, agreed
from tests.support.strangers import ID, PATH, Site, document, site

CLAUDE_CODE = "https://claude.ai/oauth/claude-code-client-metadata"
CONFIG = """
[network]
proxy = "@PROXY@"
ca = ["@CA@"]

[authorization]
enabled = true
documents = "@DOCUMENTS@"
"""
SERVER = """
[servers.time]
connector = "mcp_stdio"
command = ["@PYTHON@", "@EXAMPLE@"]
"""


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path) as made:
        yield made


def config(web: Site, documents: str = "fetch") -> str:
    said = CONFIG.replace("@PROXY@", web.network.proxy).replace("@CA@", web.network.ca[0])
    return said.replace("@DOCUMENTS@", documents)


def runtime_of(gateway: GatewayUnderTest, document: str) -> Runtime:
    async def consenting(address: str) -> str:
        async with browser_of(gateway, "alice") as browser:
            return await agreed(browser, address)

    return Runtime(gateway, consenting, document)


async def echoed(runtime: Runtime) -> str:
    async with runtime.client() as client:
        return text_of(await client.call_tool("time__echo", {"text": "hello"}))


@pytest.mark.requirement("clients:documents")
async def test_a_runtime_is_whoever_publishes_at_its_id(web: Site, tmp_path: Path) -> None:
    web.web.publish(PATH, document())
    async with gateway_under_test(tmp_path, config(web) + SERVER) as gateway:
        await gateway.serving("time")
        runtime = runtime_of(gateway, ID)

        first, second = await echoed(runtime), await echoed(runtime)
        entries = gateway.entries()

    assert "hello" in first
    assert "hello" in second
    assert web.web.asked == [PATH]
    assert [e["client"] for e in entries if e["kind"] == "client.fetched"] == [ID]
    assert [e["client"] for e in entries if e["kind"] == "token.minted"] == [ID]
    assert not [e for e in entries if e["kind"] == "client.registered"]


@pytest.mark.requirement("clients:pinned")
@pytest.mark.parametrize(
    "client", sorted(jsonrpc.decode(path.read_bytes())["client_id"] for path in SHIPPED.iterdir())
)
async def test_a_known_runtime_logs_in_where_nothing_can_be_fetched(
    web: Site, tmp_path: Path, client: str
) -> None:
    redirect = {} if "vscode" not in client else {"redirect_uri": "http://127.0.0.1:7777/"}
    async with (
        gateway_under_test(tmp_path, config(web, "pinned")) as gateway,
        browser_of(gateway, "alice") as browser,
    ):
        asked = await browser.get("/oauth/authorize", params=asking(client, **redirect))
        page = await browser.get(asked.headers["location"])
        unknown = await browser.get("/oauth/authorize", params=asking(ID))
        kinds = {line["kind"] for line in gateway.entries()}

    assert asked.status_code == 303
    assert f"published by <strong>{client.split('/')[2]}</strong>" in page.text
    assert unknown.status_code == 400
    assert web.web.asked == []
    assert not kinds & {"client.fetched", "client.registered"}


@pytest.mark.requirement("clients:pinned")
async def test_claude_codes_document_is_enough_for_the_sdks_client(
    web: Site, tmp_path: Path
) -> None:
    async with gateway_under_test(tmp_path, config(web, "pinned") + SERVER) as gateway:
        await gateway.serving("time")

        said = await echoed(runtime_of(gateway, CLAUDE_CODE))
        outcome = gateway.outcomes()[-1]

    assert "hello" in said
    assert outcome["subject"] == "alice"
    assert web.web.asked == []
