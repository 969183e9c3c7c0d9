from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mcp_gateway.store.database import Database
from mcp_gateway.store.rows import FlowRow, TicketRow
from mcp_gateway.store.tickets import KEPT, MOST_OPEN, Tickets, digest_of

ALICE = ("acme", "local", "alice", "docs")
NOW = 10_000


@pytest.fixture
def tickets(tmp_path: Path) -> Iterator[Tickets]:
    database = Database.open(tmp_path / "gateway.db")
    yield Tickets(database)
    database.close()


def ticket(secret: str = "one", **fields: Any) -> TicketRow:
    tenant, issuer, subject, upstream = ALICE
    known: dict[str, Any] = {
        "digest": digest_of(secret),
        "tenant": tenant,
        "issuer": issuer,
        "subject": subject,
        "upstream": upstream,
        "created": NOW,
        "ends": NOW + 600,
    }
    return TicketRow(**known | fields)


def flow(state: str = "state", secret: str = "one") -> FlowRow:
    browser = digest_of("browser")
    of = digest_of(secret)
    return FlowRow(
        digest=digest_of(state),
        ticket=of,
        browser=browser,
        upstream="docs",
        created=NOW,
        ends=NOW + 600,
    )


def test_a_ticket_is_found_until_it_expires(tickets: Tickets) -> None:
    tickets.add(ticket())

    assert tickets.find(digest_of("one"), NOW + 599) is not None
    assert tickets.find(digest_of("one"), NOW + 600) is None
    assert tickets.find(digest_of("two"), NOW) is None


def test_only_so_many_links_of_one_person_to_one_upstream_are_open(tickets: Tickets) -> None:
    for number in range(MOST_OPEN + 3):
        tickets.add(ticket(str(number), created=NOW + number))

    found = [tickets.find(digest_of(str(n)), NOW) is not None for n in range(MOST_OPEN + 3)]

    assert found == [False] * 3 + [True] * MOST_OPEN


def test_what_expired_long_ago_is_forgotten(tickets: Tickets) -> None:
    tickets.add(ticket("old"))
    tickets.begin(flow(secret="old"))
    tickets.add(ticket("new", created=NOW + 600 + KEPT, ends=NOW + 9000))

    assert tickets.return_(digest_of("state"), digest_of("browser"), NOW) is None


@pytest.mark.requirement("connecting:a-state-comes-back-once")
def test_a_state_comes_back_once_and_from_its_own_browser_alone(tickets: Tickets) -> None:
    tickets.add(ticket())
    tickets.begin(flow())
    state, browser = digest_of("state"), digest_of("browser")

    other = tickets.return_(state, digest_of("other"), NOW)
    first = tickets.return_(state, browser, NOW)
    second = tickets.return_(state, browser, NOW)

    assert other is None
    assert first is not None
    assert first.subject == "alice"
    assert second is None


def test_a_state_that_took_too_long_comes_back_to_nothing(tickets: Tickets) -> None:
    tickets.add(ticket())
    tickets.begin(flow())

    assert tickets.return_(digest_of("state"), digest_of("browser"), NOW + 600) is None


def test_once_something_is_connected_no_link_to_it_opens_and_none_that_is_under_way_ends(
    tickets: Tickets,
) -> None:
    tickets.add(ticket("one"))
    tickets.add(ticket("two"))
    tickets.begin(flow("state", "two"))

    closed = tickets.close(ALICE, NOW)

    assert closed == {digest_of("one"), digest_of("two")}
    assert tickets.find(digest_of("one"), NOW) is None
    assert tickets.return_(digest_of("state"), digest_of("browser"), NOW) is None


def test_links_of_others_stay_open(tickets: Tickets) -> None:
    tickets.add(ticket("bob", subject="bob"))
    tickets.add(ticket("code", upstream="code"))

    tickets.close(ALICE, NOW)

    assert tickets.find(digest_of("bob"), NOW) is not None
    assert tickets.find(digest_of("code"), NOW) is not None
