"""What is held back of an upstream for its flaws."""

from pathlib import Path
from typing import Any

import pytest

from connectors.definitions import read
from mcp_gateway.services.review import Review
from mcp_gateway.store.database import Database
from mcp_gateway.store.pins import Pins

GOOD = read("up", "tool", b'{"name":"good","inputSchema":{"type":"object"}}')


FLAWED = read("up", "tool", b'{"name":"flawed"}')


@pytest.fixture
def review(tmp_path: Path) -> Review:
    return Review(Pins(Database.open(tmp_path / "pins.db")))


@pytest.mark.parametrize("trust", ["review", "follow"])
@pytest.mark.requirement("definitions:one-bad-entry-costs-itself")
def test_a_flawed_definition_is_never_pinned_nor_served_and_its_flaw_is_told(
    review: Review, trust: Any
) -> None:
    for _ in range(2):
        found = review.of("up", [GOOD, FLAWED], trust)
        assert found.served == [GOOD]
        assert found.held == {"tool/up/flawed": FLAWED.flaw}


def test_a_definition_that_was_flawed_and_is_mended_is_new(review: Review) -> None:
    mended = read("up", "tool", b'{"name":"flawed","inputSchema":{"type":"object"}}')
    review.of("up", [GOOD, FLAWED], "review")

    found = review.of("up", [GOOD, mended], "review")

    assert found.served == [GOOD]
    assert "it is new" in found.held["tool/up/flawed"]
