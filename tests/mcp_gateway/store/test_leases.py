from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mcp_gateway.store.database import Database
from mcp_gateway.store.leases import LeaseRows


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database.open(tmp_path / "gateway.db")
    yield made
    made.close()


@pytest.mark.requirement("lease:one-at-a-time")
def test_of_many_who_want_it_at_once_one_gets_it(database: Database) -> None:
    rows = LeaseRows(database)

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda n: rows.take("refresh", f"owner-{n}", 1.0, 9.0), range(8)))

    assert sum(taken) == 1


def test_one_name_does_not_hinder_another(database: Database) -> None:
    rows = LeaseRows(database)

    assert rows.take("a", "me", 1.0, 9.0)
    assert rows.take("b", "you", 1.0, 9.0)


@pytest.mark.requirement("lease:one-at-a-time")
def test_it_is_free_when_released_or_over_and_not_before(database: Database) -> None:
    rows = LeaseRows(database)
    rows.take("a", "me", 1.0, 9.0)

    assert not rows.free("a", 8.9)
    assert not rows.take("a", "you", 8.9, 20.0)
    assert rows.free("a", 9.0)
    assert rows.take("a", "you", 9.0, 20.0)
    rows.release("a", "you")
    assert rows.free("a", 9.0)


def test_who_was_too_slow_does_not_end_the_next_ones(database: Database) -> None:
    rows = LeaseRows(database)
    rows.take("a", "slow", 1.0, 2.0)
    rows.take("a", "next", 3.0, 9.0)

    rows.release("a", "slow")

    assert not rows.free("a", 4.0)
