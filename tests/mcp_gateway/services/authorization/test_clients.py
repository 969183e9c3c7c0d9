"""Clients: who they are, and what they show."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from mcp_gateway.core.errors import Overloaded
from mcp_gateway.core.snapshot import Keyring
from mcp_gateway.limits.bucket import Rate
from mcp_gateway.oauth.server.rfc6749 import OAuthError
from mcp_gateway.services.authorization import clients as module
from mcp_gateway.services.authorization.client import Client, digest_of
from tests.support.strangers import ID, PATH, Meeting, Site, document

PEER = "192.0.2.1"
RATE = Rate.parse("10/minute")
GRANTS = frozenset({"client_credentials"})
ROBOT = Client("ci", "registered", "ci", "client_secret_basic", GRANTS, secret=digest_of("s3cret"))


def said(**members: Any) -> dict[str, Any]:
    return {"redirect_uris": ["http://127.0.0.1/callback"], "client_name": "App", **members}


async def registered(meeting: Meeting, peer: str = PEER, **members: Any) -> Mapping[str, Any]:
    return await meeting.clients.register(said(**members), peer, RATE, [])


@pytest.mark.requirement("clients:register")
async def test_a_stranger_becomes_a_client_with_what_it_said(meeting: Meeting) -> None:
    answer = await registered(
        meeting,
        token_endpoint_auth_method="none",
        grant_types=["authorization_code", "refresh_token"],
        scope="mcp",
    )
    client = await meeting.clients.find(answer["client_id"], PEER)

    assert answer == {
        "client_id": client.id,
        "client_id_issued_at": int(meeting.now),
        "client_name": "App",
        "redirect_uris": ["http://127.0.0.1/callback"],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "scope": "mcp",
    }
    assert (client.kind, client.name, client.verified, client.host) == ("dcr", "App", False, "")
    assert client.redirects == ("http://127.0.0.1/callback",)


@pytest.mark.requirement("clients:register")
async def test_a_secret_is_shown_once_and_kept_as_a_digest(meeting: Meeting) -> None:
    answer = await registered(meeting)
    row = meeting.kept.find(answer["client_id"])

    assert row is not None
    assert row.secret == digest_of(answer["client_secret"]).hex()
    assert answer["client_secret_expires_at"] == 0
    assert answer["client_secret"] not in repr(meeting.ledger.entries)
    assert meeting.ledger.last.body == {
        "client": answer["client_id"],
        "way": "dcr",
        "host": "",
        "redirect_hosts": ["127.0.0.1"],
    }


async def test_a_registration_that_cannot_be_recorded_makes_no_client(meeting: Meeting) -> None:
    meeting.ledger.broken.add("client.registered")

    with pytest.raises(Overloaded):
        await registered(meeting)

    assert meeting.kept.list() == []


@pytest.mark.requirement("attack:d2")
async def test_one_address_registers_so_many_and_hinders_no_other(meeting: Meeting) -> None:
    for _ in range(10):
        await registered(meeting)

    with pytest.raises(OAuthError) as refused:
        await registered(meeting)
    await registered(meeting, peer="192.0.2.2")

    assert (refused.value.code, refused.value.status) == ("temporarily_unavailable", 429)
    assert len(meeting.kept.list()) == 11


@pytest.mark.requirement("attack:d2")
async def test_what_cannot_be_taken_counts_as_well(meeting: Meeting) -> None:
    for _ in range(10):
        with pytest.raises(OAuthError, match="JSON object"):
            await meeting.clients.register(None, PEER, RATE, [])

    with pytest.raises(OAuthError, match="too many"):
        await registered(meeting)


@pytest.mark.requirement("attack:d2")
async def test_there_are_so_many_and_no_more_however_many_come_at_once(
    meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST", 5)

    done = await asyncio.gather(
        *(registered(meeting, f"192.0.2.{n}") for n in range(12)), return_exceptions=True
    )

    refused = [found for found in done if isinstance(found, OAuthError)]
    assert len(meeting.kept.list()) == 5
    assert {error.status for error in refused} == {503}
    assert meeting.ledger.kinds == ["client.registered"] * 5


@pytest.mark.requirement("attack:d2")
async def test_a_flood_keeps_others_out_for_an_hour_at_most(
    meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    used = (await registered(meeting))["client_id"]
    meeting.kept.used(used)
    for _ in range(2):
        await registered(meeting)
    meeting.now += module.HURRY + 1

    late = await registered(meeting)

    assert sorted(row.id for row in meeting.kept.list()) == sorted([used, late["client_id"]])
    assert meeting.ledger.kinds[3:] == ["client.collected"] * 2 + ["client.registered"]


@pytest.mark.requirement("clients:unused-ones-are-forgotten")
async def test_clients_that_are_not_used_are_forgotten_and_it_is_recorded(
    meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVERY", 0.01)
    abandoned, used = [(await registered(meeting))["client_id"] for _ in range(2)]
    meeting.kept.used(used)
    meeting.now += module.UNUSED + 1

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await meeting.clients.collect()

    assert [row.id for row in meeting.kept.list()] == [used]
    assert [e.body["client"] for e in meeting.ledger.entries if e.kind == "client.collected"] == [
        abandoned
    ]


async def test_a_client_is_not_forgotten_where_that_cannot_be_recorded(meeting: Meeting) -> None:
    await registered(meeting)
    meeting.now += module.UNUSED + 1
    meeting.ledger.broken.add("client.collected")

    with pytest.raises(Overloaded):
        await meeting.clients.collect()

    assert len(meeting.kept.list()) == 1


@pytest.mark.requirement("attack:d2")
async def test_who_registers_cannot_be_another_client(web: Site, published: Meeting) -> None:
    web.web.publish(PATH, document(client_name="Known"))
    published.clients.swap({"ci": ROBOT})

    answer = await registered(published, client_id="ci", client_name="Known", client_uri=ID)
    again = await registered(published, client_id=ID)

    assert answer["client_id"] not in ("ci", ID, again["client_id"])
    assert (await published.clients.find("ci", PEER)).kind == "registered"
    known = await published.clients.find(ID, PEER)
    other = await published.clients.find(answer["client_id"], PEER)
    assert (known.name, known.verified, known.host) == ("Known", True, "app.example.com")
    assert (other.name, other.verified, other.host) == ("Known", False, "")


@pytest.mark.parametrize("unknown", ["nobody", "", "\x00", "CI", "ci "])
async def test_an_id_that_nobody_has_is_no_client(meeting: Meeting, unknown: str) -> None:
    meeting.clients.swap({"ci": ROBOT})

    with pytest.raises(OAuthError) as refused:
        await meeting.clients.find(unknown, PEER)

    assert (refused.value.code, refused.value.status) == ("invalid_client", 401)


async def test_a_row_of_a_document_is_no_client_under_any_other_id(
    web: Site, published: Meeting
) -> None:
    web.web.publish(PATH, document())
    await published.clients.find(ID, PEER)
    row = published.kept.find(ID)
    assert row is not None
    row.id = "plain"
    published.kept.add(row)

    with pytest.raises(OAuthError, match="register again"):
        await published.clients.find("plain", PEER)


async def test_a_client_that_was_revoked_is_none_of_whatever_kind(meeting: Meeting) -> None:
    meeting.clients.swap({"ci": ROBOT})
    registered_id = (await registered(meeting))["client_id"]
    names = frozenset(f"client:{id_}" for id_ in ("ci", registered_id, ID))
    meeting.current.swap_keyring(Keyring(revoked=names, generation=1))

    for id_ in ("ci", registered_id, ID):
        with pytest.raises(OAuthError, match="revoked"):
            await meeting.clients.find(id_, PEER)
