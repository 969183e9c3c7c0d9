from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_gateway.core.grants import grant_key
from mcp_gateway.core.principal import Principal
from mcp_gateway.oauth.ports import Brought, ConnectFailed
from mcp_gateway.oauth.vault import place_of
from mcp_gateway.services.connections import LIFE
from mcp_gateway.services.consenting import LinkOver, NotLoggedIn, NotTheirs, Opened
from tests.support.connecting import ALICE, ALICE_THERE, BOB_THERE, Bench, bench

ANYBODY = Principal("anonymous", "anonymous", "default")
BROWSER = "the browser of alice"


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Bench]:
    made = bench(tmp_path)
    yield made
    made.database.close()


async def begun(at: Bench) -> str:
    """The state of a consent that is under way."""
    ticket = await at.ticket()
    address = await at.consenting.begin(ticket, ALICE_THERE, BROWSER)
    return address.partition("state=")[2]


async def test_a_link_shows_its_person_what_it_is_for(at: Bench) -> None:
    docs = await at.ticket(scopes=frozenset({"write", "read"}))
    keyed = await at.ticket("keyed")

    shown = [await at.consenting.opened(each, ALICE_THERE) for each in (docs, keyed)]

    assert shown == [
        Opened("docs", "https://docs.example/mcp", ("read", "write"), typed=False),
        Opened("keyed", "https://keyed.example/mcp", (), typed=True),
    ]
    assert at.ledger.kinds == []


@pytest.mark.requirement("connecting:a-consent-connects")
async def test_who_comes_back_with_a_consent_is_connected(at: Bench) -> None:
    at.client.brought = Brought({"access_token": "at"}, frozenset({"read"}), "https://as.example")
    state = await begun(at)

    upstream = await at.consenting.finish({"state": state, "code": "c"}, ALICE_THERE, BROWSER)

    granted = at.current.keyring.grants[grant_key(ALICE, "docs")]
    assert upstream == "docs"
    assert granted.scopes == {"read"}
    place = place_of(ALICE, "docs", "delegated")
    assert await at.secrets.get(place) == {"access_token": "at"}
    assert at.ledger.kinds == ["connect.started", "grant.made"]
    assert at.client.redeemed == [{"state": state, "code": "c"}]


async def test_a_state_tells_nothing_of_the_link_and_the_store_does_not_know_it(
    at: Bench, tmp_path: Path
) -> None:
    state = await begun(at)

    assert len(state) == 43
    assert state.encode() not in (tmp_path / "gateway.db").read_bytes()


@pytest.mark.requirement("attack:f1")
async def test_a_link_that_another_person_opens_shows_nothing_and_starts_nothing(
    at: Bench,
) -> None:
    ticket = await at.ticket()

    for attempt in (
        at.consenting.opened(ticket, BOB_THERE),
        at.consenting.begin(ticket, BOB_THERE, BROWSER),
        at.consenting.typed(ticket, BOB_THERE, "a-key"),
    ):
        with pytest.raises(NotTheirs):
            await attempt

    assert at.client.began == []
    assert at.ledger.kinds == ["connect.refused"] * 3
    assert "bob" not in repr(at.ledger.entries)


async def test_nobody_comes_back_for_somebody_else(at: Bench) -> None:
    state = await begun(at)

    with pytest.raises(NotTheirs):
        await at.consenting.finish({"state": state, "code": "c"}, BOB_THERE, BROWSER)

    assert at.client.redeemed == []
    assert at.current.keyring.grants == {}


async def test_who_is_not_logged_in_is_told_so_and_no_more(at: Bench) -> None:
    ticket = await at.ticket()

    with pytest.raises(NotLoggedIn):
        await at.consenting.opened(ticket, None)
    with pytest.raises(NotLoggedIn):
        await at.consenting.begin(ticket, None, BROWSER)


async def test_where_everybody_is_anonymous_their_links_need_no_log_in(at: Bench) -> None:
    ticket, alices = await at.ticket(principal=ANYBODY), await at.ticket()

    with pytest.raises(NotLoggedIn):
        await at.consenting.opened(ticket, None)
    at.anonymous = True
    shown = await at.consenting.opened(ticket, None)
    with pytest.raises(NotLoggedIn):
        await at.consenting.opened(alices, None)

    assert shown.upstream == "docs"


@pytest.mark.requirement("attack:f2")
async def test_a_link_is_over_once_it_connected_and_when_it_has_expired(at: Bench) -> None:
    first = await at.ticket()
    state = (await at.consenting.begin(first, ALICE_THERE, BROWSER)).partition("state=")[2]
    await at.consenting.finish({"state": state, "code": "c"}, ALICE_THERE, BROWSER)
    second = await at.ticket()
    at.now += LIFE

    for ticket in (first, second, "no link at all", ""):
        with pytest.raises(LinkOver):
            await at.consenting.opened(ticket, ALICE_THERE)
    with pytest.raises(LinkOver):
        await at.consenting.finish({"state": state, "code": "c"}, ALICE_THERE, BROWSER)

    assert len(at.client.redeemed) == 1


@pytest.mark.requirement("connecting:a-state-comes-back-once")
async def test_a_state_that_another_browser_brings_is_over_for_it_alone(at: Bench) -> None:
    state = await begun(at)

    with pytest.raises(LinkOver):
        await at.consenting.finish({"state": state, "code": "evil"}, ALICE_THERE, "another")
    upstream = await at.consenting.finish({"state": state, "code": "c"}, ALICE_THERE, BROWSER)

    assert upstream == "docs"
    assert [query["code"] for query in at.client.redeemed] == ["c"]


async def test_a_consent_that_failed_is_recorded_and_the_link_may_be_used_again(
    at: Bench,
) -> None:
    ticket = await at.ticket()
    state = (await at.consenting.begin(ticket, ALICE_THERE, BROWSER)).partition("state=")[2]
    at.client.failure = ConnectFailed("access_denied")

    with pytest.raises(ConnectFailed):
        await at.consenting.finish({"state": state, "error": "x"}, ALICE_THERE, BROWSER)

    assert at.ledger.kinds == ["connect.started", "connect.refused"]
    assert at.current.keyring.grants == {}
    assert (await at.consenting.opened(ticket, ALICE_THERE)).upstream == "docs"


@pytest.mark.requirement("connecting:a-key-is-typed-in")
async def test_a_key_of_ones_own_is_sealed_and_granted(at: Bench) -> None:
    ticket = await at.ticket("keyed")

    upstream = await at.consenting.typed(ticket, ALICE_THERE, "k-123")

    assert upstream == "keyed"
    place = place_of(ALICE, "keyed", "static")
    assert await at.secrets.get(place) == {"value": "k-123"}
    assert "k-123" not in repr(at.ledger.entries)


@pytest.mark.parametrize("value", ["", "a b", "a\r\nx-evil: 1", "é", "k" * 8193])
async def test_a_key_that_no_header_can_hold_is_not_taken(at: Bench, value: str) -> None:
    ticket = await at.ticket("keyed")

    with pytest.raises(ConnectFailed):
        await at.consenting.typed(ticket, ALICE_THERE, value)

    assert at.secrets.kept == {}


@pytest.mark.requirement("attack:f3")
async def test_a_link_is_good_for_its_own_upstream_and_kind_alone(at: Bench) -> None:
    docs, shared, gone = [await at.ticket(name) for name in ("docs", "shared", "gone")]

    with pytest.raises(LinkOver):
        await at.consenting.typed(docs, ALICE_THERE, "k-123")
    for ticket in (shared, gone):
        with pytest.raises(LinkOver):
            await at.consenting.opened(ticket, ALICE_THERE)

    assert at.secrets.kept == {}


@pytest.mark.requirement("connecting:survives-a-restart")
async def test_what_one_process_began_another_one_on_the_same_store_completes(
    at: Bench, tmp_path: Path
) -> None:
    link = await at.ticket()
    there = bench(tmp_path)
    state = (await there.consenting.begin(link, ALICE_THERE, BROWSER)).partition("state=")[2]
    later = bench(tmp_path)

    upstream = await later.consenting.finish({"state": state, "code": "c"}, ALICE_THERE, BROWSER)
    await at.connections.kept.keyring.refresh()

    assert upstream == "docs"
    assert grant_key(ALICE, "docs") in at.current.keyring.grants
    there.database.close()
    later.database.close()
