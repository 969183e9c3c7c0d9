"""What connectors are opened with: a real HTTP client, a folder, and a ledger that can be read."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from connectors.services import Services
from mcp_gateway.wire.http import HttpClient, Network
from tests.support.fakes import FakeLedger

SMALL = 256 * 1024
"""Bytes of the largest answer that is taken in these tests."""


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The loop that the gateway runs on: processes and pipes are another matter on each."""
    return "asyncio", {"use_uvloop": True}


@dataclass
class Around:
    """What is around a connector. `changed` are the servers that asked to be looked at again."""

    services: Services
    ledger: FakeLedger
    changed: list[str] = field(default_factory=list)


@pytest.fixture
async def around(tmp_path: Path) -> AsyncIterator[Around]:
    http = HttpClient(Network(loopback=True), most=SMALL)
    ledger, changed = FakeLedger(), list[str]()
    services = Services(http, ledger, tmp_path / "data", changed.append)
    yield Around(services, ledger, changed)
    await http.aclose()
