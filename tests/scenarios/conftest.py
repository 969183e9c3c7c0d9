"""One gateway for a module of scenarios: starting its upstreams is what takes time."""

from collections.abc import AsyncIterator

import pytest

from tests.support.gateway import GatewayUnderTest, gateway_under_test

CONFIG = """
[policy]
rules = ["builtin:first-run"]
suites = ["builtin:first-run"]

[limits]
principal = { "tool/orders/create_order" = "2/minute" }

@SERVERS@

[servers.away]
connector = "mcp_http"
url = "http://127.0.0.1:9/mcp"
"""


@pytest.fixture(scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayUnderTest]:
    async with gateway_under_test(tmp_path_factory.mktemp("gateway"), CONFIG) as running:
        await running.serving("orders", "time", "everything")
        yield running
