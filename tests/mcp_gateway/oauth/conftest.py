"""The gateway's own client, as on a machine where the issuer runs beside it."""

from collections.abc import AsyncIterator

import pytest

from mcp_gateway.wire.http import HttpClient, Network


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient(Network(loopback=True))
    yield client
    await client.aclose()
