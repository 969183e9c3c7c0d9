import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mcp_gateway.core.errors import Overloaded
from mcp_gateway.core.grants import grant_key
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.snapshot import Current
from mcp_gateway.oauth.ports import Brought, ConnectFailed
from mcp_gateway.oauth.vault import place_of
from mcp_gateway.services.connections import LIFE
from mcp_gateway.services.keyring import KeyringService
from mcp_gateway.store.keys import Keys
from mcp_gateway.store.tickets import digest_of
from tests.support.connecting import ALICE, PUBLIC, Bench, bench

KEY = grant_key(ALICE, "docs")
PLACE = place_of(ALICE, "docs", "delegated")
BROUGHT = Brought({"access_token": "at-1"}, frozenset({"read"}), "https://as.example", "me")


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Bench]:
    made = bench(tmp_path)
    yield made
    made.database.close()


@pytest.mark.requirement("connecting:a-link-is-kept-as-a-digest")
async def test_of_a_link_the_store_keeps_a_digest_alone(at: Bench) -> None:
    link = await at.connections.link(ALICE, "docs", frozenset({"read"}), "c-1")
    secret = link.removeprefix(f"{PUBLIC}/connect/")

    row = at.connections.tickets.find(digest_of(secret), int(at.now))

    assert len(secret) == 43
    assert row is not None
    assert (row.subject, row.upstream, row.scopes, row.call) == ("alice", "docs", "read", "c-1")
    assert row.ends == int(at.now) + LIFE
    assert secret not in repr(row)


async def test_what_a_consent_brought_is_recorded_then_sealed_then_granted(at: Bench) -> None:
    granted = await at.connections.made(ALICE, "docs", "delegated", BROUGHT)

    assert at.current.keyring.grants == {KEY: granted}
    assert await at.secrets.get(PLACE) == {"access_token": "at-1"}
    entry = at.ledger.last
    assert (entry.kind, entry.subject) == ("grant.made", "local|alice")
    assert entry.body == {
        "tenant": "default",
        "issuer": "local",
        "subject": "alice",
        "upstream": "docs",
        "grant": granted.id,
        "grant_kind": "delegated",
        "scopes": ["read"],
        "authorization_server": "https://as.example",
    }


@pytest.mark.requirement("connecting:unrecorded-it-is-not-done")
async def test_what_cannot_be_recorded_is_neither_granted_nor_broken_nor_revoked(
    at: Bench,
) -> None:
    granted = await at.connections.made(ALICE, "docs", "delegated", BROUGHT)
    at.ledger.broken = {"grant.made", "grant.broken", "grant.revoked"}

    with pytest.raises(Overloaded):
        await at.connections.made(ALICE, "other", "delegated", BROUGHT)
    with pytest.raises(Overloaded):
        await at.connections.broken(ALICE, "docs", "why")
    with pytest.raises(Overloaded):
        await at.connections.revoke(KEY, "why")

    assert at.current.keyring.grants == {KEY: granted}
    assert list(at.secrets.kept) == [PLACE]


async def test_a_grant_breaks_for_its_person_and_is_recorded_once(at: Bench) -> None:
    await at.connections.made(ALICE, "docs", "delegated", BROUGHT)

    await at.connections.broken(ALICE, "docs", "the server takes its token no more")
    await at.connections.broken(ALICE, "docs", "again")

    granted = at.current.keyring.grants[KEY]
    assert (granted.state, granted.reason) == ("broken", "the server takes its token no more")
    assert at.ledger.kinds == ["grant.made", "grant.broken"]


async def test_what_nobody_connected_does_not_break(at: Bench) -> None:
    await at.connections.broken(ALICE, "docs", "why")

    assert at.ledger.kinds == []


async def test_renewals_are_recorded_in_sum(at: Bench) -> None:
    await at.connections.made(ALICE, "docs", "delegated", BROUGHT)
    await at.connections.refreshed(ALICE, "docs")
    await at.connections.refreshed(ALICE, "docs")

    at.ledger.broken = {"grant.refreshed"}
    await at.connections.record_renewed()
    at.ledger.broken = set()
    await at.connections.record_renewed()
    await at.connections.record_renewed()

    assert at.ledger.kinds == ["grant.made", "grant.refreshed"]
    assert at.ledger.last.body == {"upstream": "docs", "count": 2}


@pytest.mark.requirement("connecting:last-used")
async def test_when_a_grant_was_used_last_is_noted_beside_the_calls(at: Bench) -> None:
    await at.connections.made(ALICE, "docs", "delegated", BROUGHT)
    used = [[KEY], []]
    at.connections.used = lambda: used.pop(0)

    at.now = 7000.0
    await at.connections.note_used()
    at.now = 8000.0
    await at.connections.note_used()

    row = at.connections.grants.row(KEY)
    assert row is not None
    assert row.used == 7000


@pytest.mark.requirement("operations:credentials-are-measured")
async def test_grants_that_are_revoked_are_counted(at: Bench) -> None:
    counted: list[str] = []
    at.connections.revoked = counted.append
    await at.connections.made(ALICE, "docs", "delegated", BROUGHT)

    await at.connections.revoke(KEY, "asked")
    await at.connections.revoke(KEY, "again")

    assert counted == ["grant"]


@pytest.mark.requirement("connecting:revoked-here-and-there")
async def test_a_revoked_grant_ends_here_and_where_it_came_from(at: Bench) -> None:
    await at.connections.made(ALICE, "docs", "delegated", BROUGHT)

    ended = [await at.connections.revoke(KEY, "asked"), await at.connections.revoke(KEY, "again")]

    assert ended == [True, False]
    assert at.current.keyring.grants == {}
    assert at.secrets.kept == {}
    assert at.client.revoked == [("docs", {"access_token": "at-1"})]


async def test_a_grant_ends_here_though_its_server_cannot_be_told(at: Bench) -> None:
    await at.connections.made(ALICE, "docs", "delegated", BROUGHT)
    at.client.failure = ConnectFailed("nobody answers")

    ended = await at.connections.revoke(KEY, "asked")

    assert ended
    assert (at.current.keyring.grants, at.secrets.kept) == ({}, {})


async def test_a_typed_key_is_told_to_nobody_when_it_ends(at: Bench) -> None:
    key = grant_key(ALICE, "keyed")
    await at.connections.made(ALICE, "keyed", "static", Brought({"value": "k"}))

    await at.connections.revoke(key, "asked")

    assert at.client.revoked == []
    assert at.secrets.kept == {}


async def test_who_wants_to_know_is_told_whose_connection_changed(at: Bench) -> None:
    told: list[tuple[str, str]] = []

    async def changed(principal: Principal, server: str) -> None:
        told.append((principal.identity, server))

    at.connections.changed.append(changed)
    await at.connections.made(ALICE, "docs", "delegated", BROUGHT)
    await at.connections.broken(ALICE, "docs", "why")
    await at.connections.revoke(KEY, "asked")

    assert told == [("local|alice", "docs")] * 3


@pytest.mark.requirement("attack:f8")
async def test_another_process_knows_within_a_second_that_a_grant_was_revoked(at: Bench) -> None:
    there = Current()
    keyring = KeyringService(there, at.database, Keys(at.database))
    following = asyncio.ensure_future(keyring.follow())
    await at.connections.made(ALICE, "docs", "delegated", BROUGHT)
    async with asyncio.timeout(5):
        while KEY not in there.keyring.grants:
            await asyncio.sleep(0.01)

    await at.connections.revoke(KEY, "asked")
    revoked = time.monotonic()
    async with asyncio.timeout(5):
        while KEY in there.keyring.grants:
            await asyncio.sleep(0.01)
    took = time.monotonic() - revoked
    following.cancel()

    assert took < 1.0


@pytest.mark.requirement("people:what-ends-them")
async def test_all_that_somebody_connected_ends_and_nothing_of_others(at: Bench) -> None:
    bob = replace(ALICE, subject="bob")
    for who, server in ((ALICE, "docs"), (ALICE, "notes"), (bob, "docs")):
        await at.connections.made(who, server, "delegated", BROUGHT)

    await at.connections.disconnect(ALICE.tenant, ALICE.issuer, ALICE.subject, "removed")

    assert set(at.current.keyring.grants) == {grant_key(bob, "docs")}
    assert list(at.secrets.kept) == [place_of(bob, "docs", "delegated")]
