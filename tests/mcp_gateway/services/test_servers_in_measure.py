"""How often an upstream is looked at that fails, or says that it has changed."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mcp_gateway.config import Server
from mcp_gateway.core.credential import Credential
from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.core.target import Definition
from mcp_gateway.services import servers
from mcp_gateway.services.lease import Leased
from mcp_gateway.services.review import Review
from mcp_gateway.services.servers import Discovery, Running
from mcp_gateway.store.database import Database
from mcp_gateway.store.pins import Pins
from tests.support.fakes import FakeConnector, shows_nothing
from tests.support.waiting import until


@dataclass
class Listing(FakeConnector):
    """An upstream that says that it has changed whenever it is asked, and fails or not."""

    running: Running | None = None
    failure: UpstreamFailed | None = None
    asked: list[float] = field(default_factory=list)

    async def discover(self, credential: Credential) -> Sequence[Definition]:  # noqa: ARG002
        self.asked.append(asyncio.get_running_loop().time())
        assert self.running is not None
        self.running.wanted.set()
        if self.failure:
            raise self.failure
        return []


@pytest.fixture
def review(tmp_path: Path) -> Review:
    return Review(Pins(Database.open(tmp_path / "pins.db")))


def followed(review: Review, failure: UpstreamFailed | None) -> tuple[Listing, Discovery]:
    listing = Listing(failure=failure)
    listing.running = Running(
        "up", Server(connector="mcp_http"), Leased("up", listing), shows_nothing
    )
    return listing, Discovery(review, lambda: None, lambda _: None)


@pytest.mark.parametrize("failure", [None, UpstreamFailed("away", detail="its own words")])
@pytest.mark.requirement("upstreams:looked-at-in-measure")
async def test_an_upstream_that_keeps_asking_to_be_looked_at_is_looked_at_in_measure(
    review: Review, monkeypatch: pytest.MonkeyPatch, failure: UpstreamFailed | None
) -> None:
    monkeypatch.setattr(servers, "SPACING", 0.1)
    monkeypatch.setattr(servers, "FIRST_PAUSE", 0.1)
    listing, discovery = followed(review, failure)
    assert listing.running is not None
    following = asyncio.ensure_future(discovery.follow(listing.running))

    await until(lambda: len(listing.asked) >= 3)
    following.cancel()

    spacing = [
        later - sooner for sooner, later in zip(listing.asked, listing.asked[1:], strict=False)
    ]
    assert min(spacing) >= 0.09
    assert listing.running.trouble == ("away" if failure else "")
    assert listing.running.detail == ("its own words" if failure else "")
