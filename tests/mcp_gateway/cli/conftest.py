"""One gateway for the commands that speak to a running one, and what runs a command."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest
from click.testing import CliRunner, Result

from mcp_gateway.cli import main
from tests.support.gateway import GatewayUnderTest, gateway_under_test
from tests.support.raw_server import listening

CONFIG = """
[policy]
rules = ["builtin:first-run"]

[servers.orders]
connector = "openapi"
url = "@ORDERS@"
document = "builtin:orders"

[servers.away]
connector = "mcp_http"
url = "http://127.0.0.1:9/mcp"
"""


@pytest.fixture(scope="package")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayUnderTest]:
    async with listening() as url:
        config = CONFIG.replace("@ORDERS@", url)
        async with gateway_under_test(tmp_path_factory.mktemp("cli"), config) as running:
            await running.serving("orders")
            yield running


def run(*words: str) -> Result:
    """Runs a command in this process."""
    return CliRunner().invoke(main, [*words])


@dataclass
class Administrator:
    """Runs commands against the gateway, with a key of its own."""

    gateway: GatewayUnderTest

    async def __call__(self, *words: str, subject: str = "admin", url: str = "") -> Result:
        given = ["--url", url or self.gateway.url, "--key", self.gateway.keys[subject]]
        return await asyncio.to_thread(run, *words, *given)


@pytest.fixture
def admin(gateway: GatewayUnderTest) -> Callable[..., Awaitable[Result]]:
    return Administrator(gateway)
