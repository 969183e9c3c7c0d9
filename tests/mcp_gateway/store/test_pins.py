from pathlib import Path
from typing import Any

import pytest

from mcp_gateway.core.target import Definition
from mcp_gateway.store.database import Database
from mcp_gateway.store.pins import MOST, AccessRequests, Pins
from mcp_gateway.store.tables import AccessRequestRow

TOOL = Definition("tool", "desk", "open", b'{"name":"open"}', "sha256:1")


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database.open(tmp_path / "gateway.db")


def test_a_pin_is_found_by_kind_and_name_of_its_own_server(database: Database) -> None:
    pins = Pins(database)
    prompt = Definition("prompt", "desk", "open", b"{}", "sha256:2")
    other = Definition("tool", "other", "open", b"{}", "sha256:3")
    pins.pin([TOOL, prompt, other], 10)

    found = pins.of("desk")
    assert {key: row.digest for key, row in found.items()} == {
        ("tool", "open"): "sha256:1",
        ("prompt", "open"): "sha256:2",
    }
    assert (found["tool", "open"].definition, found["tool", "open"].pinned) == (TOOL.raw, 10)
    assert pins.of("nobody") == {}


def test_a_later_pin_takes_the_place_of_the_earlier(database: Database) -> None:
    pins = Pins(database)
    pins.pin([TOOL], 10)
    pins.pin([Definition("tool", "desk", "open", b"[]", "sha256:9")], 20)

    row = pins.of("desk")["tool", "open"]
    assert (row.digest, row.definition, row.pinned) == ("sha256:9", b"[]", 20)


def test_thousands_are_pinned_and_pinned_anew_in_one_change(database: Database) -> None:
    pins, before = Pins(database), database.revision()
    many = [Definition("tool", "desk", f"t{n}", b"{}", f"sha256:{n}") for n in range(5000)]
    pins.pin(many, 10)
    pins.pin(many, 20)
    pins.pin([], 30)

    assert len(pins.of("desk")) == 5000
    assert {row.pinned for row in pins.of("desk").values()} == {20}
    assert database.revision() == before + 2


def asked(requests: AccessRequests, target: str, tenant: str = "acme", **fields: Any) -> str:
    row = AccessRequestRow(
        id="", identity="local|ada", tenant=tenant, target=target, reason="why not", asked=10
    )
    for name, value in fields.items():
        setattr(row, name, value)
    return requests.add(row, most=3)


def test_requests_are_kept_by_tenant_until_they_are_closed(database: Database) -> None:
    requests = AccessRequests(database)
    first, second = asked(requests, "tool/a/b"), asked(requests, "tool/a/c")
    asked(requests, "tool/a/b", tenant="other")
    asked(requests, "tool/a/d", closed=20)

    assert {row.id for row in requests.open("acme")} == {first, second}
    assert len(first) == 8
    assert requests.open("nobody") == []


def test_who_asks_again_asks_nothing_new_and_nobody_asks_without_end(database: Database) -> None:
    requests = AccessRequests(database)
    made = [asked(requests, f"tool/a/{number}") for number in range(3)]

    assert asked(requests, "tool/a/1") == made[1]
    assert asked(requests, "tool/a/more") == ""
    assert asked(requests, "tool/a/more", identity="local|eve") != ""
    assert len(requests.open("acme")) == 4


@pytest.mark.requirement("connecting:wordings")
def test_what_is_pinned_beside_what_was_pinned_leaves_both(database: Database) -> None:
    pins = Pins(database)
    pins.pin([TOOL], 10)
    worded = [Definition("tool", "desk", "open", b"[]", f"sha256:{n}") for n in (7, 8)]

    pins.pin(worded, 20, beside=True)

    assert pins.of("desk")["tool", "open"].digest == "sha256:8"
    kept = {row.digest for row in pins.wordings("desk")}
    assert kept == {TOOL.digest, "sha256:7", "sha256:8"}
    assert pins.wordings("another") == []


def test_of_one_name_the_newest_wordings_stay(database: Database) -> None:
    pins = Pins(database)
    other = Definition("tool", "desk", "close", b"{}", "sha256:close")
    pins.pin([other], 1, beside=True)
    for number in range(MOST + 3):
        worded = Definition("tool", "desk", "open", b"{}", f"sha256:{number:02}")
        pins.pin([worded], 10 + number, beside=True)

    kept = [row.digest for row in pins.wordings("desk")]
    assert kept == [*(f"sha256:{n:02}" for n in range(MOST + 2, 2, -1)), "sha256:close"]
