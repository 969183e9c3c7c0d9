"""A runtime with nothing but the URL: it finds the authorization server, and a person logs in."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.connected import browser_of, text_of
from tests.support.gateway import SERVERS, GatewayUnderTest, gateway_under_test
from tests.support.runtime_oauth import Runtime, agreed

CONFIG = """
[authorization]
enabled = true

[servers.time]
connector = "mcp_stdio"
command = ["@PYTHON@", "@EXAMPLE@"]
"""


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[GatewayUnderTest]:
    async with gateway_under_test(tmp_path, CONFIG) as running:
        await running.serving("time")
        yield running


def runtime_of(gateway: GatewayUnderTest, who: str) -> Runtime:
    async def consenting(address: str) -> str:
        async with browser_of(gateway, who) as browser:
            return await agreed(browser, address)

    return Runtime(gateway, consenting)


@pytest.mark.requirement("authorization:a-url-is-enough")
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_runtime_that_has_the_url_alone_calls_as_whoever_logged_in(
    gateway: GatewayUnderTest, mode: str
) -> None:
    runtime = runtime_of(gateway, "alice")

    async with runtime.client(mode=mode) as client:
        answer = await client.call_tool("time__echo", {"text": "hello"})

    assert "hello" in text_of(answer)
    assert gateway.outcomes()[-1]["principal"]["subject"] == "alice"
