"""One gateway whose authorization server is asked over HTTP."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from tests.support.gateway import BOUND, GatewayUnderTest, gateway_under_test

CONFIG = """
[authorization]
enabled = true
registration_each = "6000/minute"
"""


@pytest.fixture(scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayUnderTest]:
    async with gateway_under_test(tmp_path_factory.mktemp("authorization"), CONFIG) as running:
        yield running


@pytest.fixture
async def anybody(gateway: GatewayUnderTest) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=gateway.url, timeout=BOUND) as client:
        yield client
