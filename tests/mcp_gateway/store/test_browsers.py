"""A browser is there until it is closed, replaced or over."""

from pathlib import Path

import pytest

from mcp_gateway.store.browsers import Browsers
from mcp_gateway.store.database import Database
from mcp_gateway.store.rows import BrowserRow

NOW = 1_700_000_000


@pytest.fixture
def browsers(tmp_path: Path) -> Browsers:
    return Browsers(Database.open(tmp_path / "gateway.db"))


def browser(digest: str, created: int = NOW) -> BrowserRow:
    return BrowserRow(digest=digest, by="00", created=created, used=created, ends=created + 10)


def test_a_browser_is_there_until_it_is_closed(browsers: Browsers) -> None:
    browsers.open(browser("d"), "")
    browsers.used("d", NOW + 5)

    found = browsers.at("d")
    assert found is not None
    assert (found.by, found.used) == ("00", NOW + 5)
    browsers.close("d")
    assert browsers.at("d") is None


@pytest.mark.requirement("login:forms-are-of-the-browser")
def test_who_logs_in_again_leaves_nothing_behind_and_neither_does_what_is_over(
    browsers: Browsers,
) -> None:
    browsers.open(browser("over"), "")
    browsers.open(browser("before", NOW + 5), "")
    browsers.open(browser("another", NOW + 5), "")

    browsers.open(browser("new", NOW + 10), "before")

    there = [browsers.at(digest) is not None for digest in ("over", "before", "another", "new")]
    assert there == [False, False, True, True]
