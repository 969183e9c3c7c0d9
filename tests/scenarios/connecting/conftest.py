"""A gateway before a server that people connect with keys of their own, for each scenario."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.connected import connectable
from tests.support.gateway import GatewayUnderTest
from tests.support.keyed_upstream import Keyed


@pytest.fixture
async def connected(tmp_path: Path) -> AsyncIterator[tuple[GatewayUnderTest, Keyed]]:
    async with connectable(tmp_path) as made:
        yield made


@pytest.fixture
def gateway(connected: tuple[GatewayUnderTest, Keyed]) -> GatewayUnderTest:
    return connected[0]


@pytest.fixture
def keyed(connected: tuple[GatewayUnderTest, Keyed]) -> Keyed:
    return connected[1]
