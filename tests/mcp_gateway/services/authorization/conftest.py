"""A real store, and a client that reaches nothing but public addresses."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mcp_gateway.store.database import Database
from mcp_gateway.wire.http import HttpClient, Network
from tests.support.strangers import Meeting, Site, site


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database.open(tmp_path / "gateway.db")
    yield made
    made.close()


@pytest.fixture
async def strangers() -> AsyncIterator[HttpClient]:
    made = HttpClient(Network())
    yield made
    await made.aclose()


@pytest.fixture
def meeting(database: Database, strangers: HttpClient) -> Meeting:
    """Where nobody publishes anything."""
    return Meeting(database, strangers)


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[Site]:
    async with site(tmp_path) as made:
        yield made


@pytest.fixture
def published(database: Database, web: Site) -> Meeting:
    """Where the site of a client can be reached."""
    return Meeting(database, web.http)
