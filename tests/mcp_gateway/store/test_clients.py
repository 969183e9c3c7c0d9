from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_gateway.store.clients import CIMD, DCR, Clients
from mcp_gateway.store.database import Database
from mcp_gateway.store.rows import ClientRow

DAY = 86_400
NOW = 100 * DAY


class Time:
    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def clients(tmp_path: Path, time: Time) -> Iterator[Clients]:
    database = Database.open(tmp_path / "gateway.db")
    yield Clients(database, time)
    database.close()


def registered(id_: str, created: int = NOW, used: int = 0) -> ClientRow:
    return ClientRow(id=id_, kind=DCR, created=created, used=used)


def document(id_: str, fetched: int = NOW, ends: int = 0, used: int = 0) -> ClientRow:
    times = {"created": fetched, "fetched": fetched, "ends": ends, "used": used}
    return ClientRow.model_validate({"id": id_, "kind": CIMD, "document": b"{}", **times})


def ids(clients: Clients) -> list[str]:
    return [row.id for row in clients.list()]


def test_a_client_is_found_by_its_id_alone(clients: Clients) -> None:
    clients.add(registered("a"))

    found = clients.find("a")

    assert found is not None
    assert found.kind == DCR
    assert clients.find("A") is None
    assert clients.find("") is None


def test_documents_do_not_count_among_those_that_registered(clients: Clients) -> None:
    clients.add(registered("a"))
    clients.keep(document("https://b.example/c"))

    assert clients.full(1)
    assert not clients.full(2)


def test_a_document_in_place_of_another_keeps_when_it_was_met_and_used(
    clients: Clients, time: Time
) -> None:
    clients.keep(document("https://b.example/c", ends=NOW + 5))
    clients.used("https://b.example/c")
    time.now += 10

    clients.keep(document("https://b.example/c", NOW + 10, ends=NOW + 15))
    found = clients.find("https://b.example/c")

    assert found is not None
    assert (found.created, found.used, found.fetched, found.ends) == (
        NOW,
        NOW,
        NOW + 10,
        NOW + 15,
    )


@pytest.mark.requirement("attack:d10")
def test_documents_beyond_the_bound_take_the_place_of_the_oldest_that_nobody_used(
    clients: Clients,
) -> None:
    for number in range(3):
        clients.keep(document(str(number), NOW + number), most=3)
    clients.used("0")
    clients.add(registered("mine"))

    clients.keep(document("3", NOW + 3), most=3)

    assert sorted(ids(clients)) == ["0", "2", "3", "mine"]


@pytest.mark.requirement("clients:unused-ones-are-forgotten")
def test_who_never_got_a_token_for_a_day_and_who_got_none_for_ninety_is_idle(
    clients: Clients,
) -> None:
    rows = [
        registered("new", NOW - DAY),
        registered("abandoned", NOW - DAY - 1),
        registered("in use", 1, NOW - 90 * DAY),
        registered("left", 1, NOW - 90 * DAY - 1),
        document("kept", NOW - 2 * DAY, ends=NOW),
        document("over", NOW - 2 * DAY, ends=NOW - 1),
        document("over, in use", NOW - 2 * DAY, ends=NOW - 1, used=NOW - DAY),
    ]
    for row in rows:
        clients.add(row)

    idle = [row.id for row in clients.idle(DAY, 90 * DAY)]
    clients.forget([*idle, "new", "in use"], DAY, 90 * DAY)

    assert sorted(idle) == ["abandoned", "left", "over"]
    assert sorted(ids(clients)) == ["in use", "kept", "new", "over, in use"]


def test_who_got_a_token_meanwhile_is_not_forgotten(clients: Clients) -> None:
    clients.add(registered("abandoned", 1))
    idle = [row.id for row in clients.idle(DAY, 90 * DAY)]
    clients.used("abandoned")

    clients.forget(idle, DAY, 90 * DAY)

    assert ids(clients) == ["abandoned"]


def test_one_client_is_dropped_and_no_other(clients: Clients) -> None:
    clients.add(registered("a"))
    clients.add(registered("b"))

    assert clients.drop("a")
    assert not clients.drop("a")
    assert ids(clients) == ["b"]
