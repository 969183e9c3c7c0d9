"""A request is answered once and a code used once, whichever process is first."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest

from mcp_gateway.store.authorization import TWICE, Authorizations
from mcp_gateway.store.database import Database
from mcp_gateway.store.rows import AuthorizationRow, CodeRow

T = TypeVar("T")
NOW = 1_700_000_000


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[list[Authorizations]]:
    """The same file twice, as two processes have it."""
    databases = [Database.open(tmp_path / "gateway.db") for _ in range(2)]
    yield [Authorizations(database, lambda: NOW) for database in databases]
    for database in databases:
        database.close()


def request(digest: str = "r1", *, ends: int = NOW + 600) -> AuthorizationRow:
    return AuthorizationRow(
        digest=digest,
        browser="b1",
        client="c1",
        redirect="https://app.example/cb",
        scopes="mcp",
        resource="https://gw.example/mcp",
        challenge="x" * 43,
        created=NOW,
        ends=ends,
    )


def code(digest: str = "k1", *, ends: int = NOW + 60) -> CodeRow:
    return CodeRow(
        digest=digest,
        family="f1",
        client="c1",
        redirect="https://app.example/cb",
        challenge="x" * 43,
        resource="https://gw.example/mcp",
        scopes="mcp",
        person="person:p1",
        ends=ends,
    )


def at_once(*acts: Callable[[], T]) -> list[T]:
    """What each of them brings, begun together."""
    barrier = threading.Barrier(len(acts))

    def begun(act: Callable[[], T]) -> T:
        barrier.wait(10)
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(begun, acts))


def test_a_request_waits_in_its_browser_until_it_is_answered(stores: list[Authorizations]) -> None:
    stores[0].begin(request())

    assert stores[1].waiting("r1", "b1") is not None
    assert stores[1].waiting("r1", "b2") is None
    assert not stores[1].answer("r1", "b2")
    assert stores[1].answer("r1", "b1")
    assert stores[0].waiting("r1", "b1") is None


def test_a_request_that_is_over_or_unknown_is_not_answered(stores: list[Authorizations]) -> None:
    stores[0].begin(request(ends=NOW))

    assert stores[0].waiting("r1", "b1") is None
    assert not stores[0].answer("r1", "b1")
    assert not stores[0].answer("r2", "b1")


@pytest.mark.requirement("authorization:two-on-one-store")
def test_of_two_answers_at_once_one_counts(stores: list[Authorizations]) -> None:
    for n in range(20):
        stores[0].begin(request(f"r{n}"))
        answers = at_once(*(lambda kept=kept, n=n: kept.answer(f"r{n}", "b1") for kept in stores))
        assert sorted(answers) == [False, True]


@pytest.mark.requirement("attack:d20")
def test_of_two_redemptions_at_once_one_is_the_first(stores: list[Authorizations]) -> None:
    for n in range(20):
        stores[0].issue(code(f"k{n}"))
        found = at_once(*(lambda kept=kept, n=n: kept.redeem(f"k{n}") for kept in stores))
        assert sorted(one[1] for one in found if one) == [False, True]


@pytest.mark.requirement("attack:d20")
def test_a_code_that_comes_again_is_marked_for_good(stores: list[Authorizations]) -> None:
    stores[0].issue(code())
    seen = [stores[0].redeem("k1"), stores[1].redeem("k1"), stores[0].redeem("k1")]

    assert [one and (one[1], one[0].used) for one in seen] == [
        (True, NOW),
        (False, TWICE),
        (False, TWICE),
    ]
    assert stores[0].redeem("unknown") is None


def test_what_is_over_is_forgotten_and_until_then_a_second_use_is_noticed(
    stores: list[Authorizations],
) -> None:
    for digest, ends in (("old", NOW - 101), ("new", NOW - 100)):
        stores[0].begin(request(digest, ends=ends))
        stores[0].issue(code(digest, ends=ends))

    stores[0].forget(100)

    assert stores[0].redeem("old") is None
    assert stores[0].redeem("new") is not None
    stores[0].begin(request("old"))
    assert stores[0].waiting("old", "b1") is not None


@pytest.mark.requirement("attack:d31")
def test_strangers_fill_the_store_with_no_requests(
    stores: list[Authorizations], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_gateway.store.authorization.MOST", 2)
    assert stores[0].begin(request("r1", ends=NOW))
    assert stores[0].begin(request("r2"))
    assert stores[0].begin(request("r3")), "what is over makes room"

    assert not stores[1].begin(request("r4"))
