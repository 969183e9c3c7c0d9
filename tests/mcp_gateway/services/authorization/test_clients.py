"""Clients: who they are, and what they show."""

import asyncio
import base64
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus, urlencode

import pytest
from authlib.oauth2.rfc7523 import private_key_jwt_sign
from joserfc import jwt

from mcp_gateway.core.errors import Overloaded
from mcp_gateway.core.snapshot import Keyring
from mcp_gateway.limits.bucket import Rate
from mcp_gateway.oauth.rfc7517 import key_set
from mcp_gateway.oauth.server import rfc7523
from mcp_gateway.oauth.server.rfc6749 import OAuthError, Parameters
from mcp_gateway.services.authorization import clients as module
from mcp_gateway.services.authorization.client import Client, digest_of
from tests.support.strangers import ID, PATH, PUBLIC, Meeting, Site, document
from tests.support.tokens import EC, STRANGER, public

PEER = "192.0.2.1"
RATE = Rate.parse("10/minute")
GRANTS = frozenset({"client_credentials"})
ROBOT = Client("ci", "registered", "ci", "client_secret_basic", GRANTS, secret=digest_of("s3cret"))
SIGNER = Client(
    "signer", "registered", "signer", "private_key_jwt", GRANTS, keys=key_set(public(EC))
)


def said(**members: Any) -> dict[str, Any]:
    return {"redirect_uris": ["http://127.0.0.1/callback"], "client_name": "App", **members}


async def registered(meeting: Meeting, peer: str = PEER, **members: Any) -> Mapping[str, Any]:
    return await meeting.clients.register(said(**members), peer, RATE, [])


async def shown(
    meeting: Meeting, authorization: bytes | None = None, **form: str
) -> Client | OAuthError:
    parameters = Parameters.parse(urlencode(form))
    try:
        return await meeting.clients.authenticated(parameters, authorization, PEER)
    except OAuthError as error:
        return error


def basic(name: str, secret: str) -> bytes:
    pair = f"{quote_plus(name)}:{quote_plus(secret)}".encode()
    return b"Basic " + base64.b64encode(pair)


def signed(meeting: Meeting, key: Any = EC, head: Any = None, **changes: Any) -> str:
    now = int(meeting.now)
    claims = {
        "iss": "signer",
        "sub": "signer",
        "aud": PUBLIC,
        "jti": "1",
        "iat": now,
        "exp": now + 60,
    }
    alg = "ES256" if key is EC else "RS256"
    return jwt.encode({"alg": alg, "kid": key.kid, **(head or {})}, {**claims, **changes}, key)


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
        "kind": "dcr",
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


@pytest.mark.requirement("clients:show-what-they-have")
async def test_a_client_without_a_secret_says_who_it_is(meeting: Meeting) -> None:
    id_ = (await registered(meeting, token_endpoint_auth_method="none"))["client_id"]

    found = await shown(meeting, client_id=id_)

    assert isinstance(found, Client)
    assert found.id == id_


@pytest.mark.requirement("clients:show-what-they-have")
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_a_secret_counts_where_its_client_said_that_it_would_show_it(
    meeting: Meeting, method: str
) -> None:
    answer = await registered(meeting, token_endpoint_auth_method=method)
    id_, secret = answer["client_id"], answer["client_secret"]

    in_header = await shown(meeting, basic(id_, secret))
    in_form = await shown(meeting, client_id=id_, client_secret=secret)

    assert isinstance(in_header, Client) == (method == "client_secret_basic")
    assert isinstance(in_form, Client) == (method == "client_secret_post")


@pytest.mark.requirement("clients:show-what-they-have")
async def test_a_program_of_the_configuration_shows_its_secret_in_either_way(
    meeting: Meeting,
) -> None:
    meeting.clients.swap({"ci": ROBOT})

    assert await shown(meeting, basic("ci", "s3cret")) is ROBOT
    assert await shown(meeting, basic("ci", "s3cret"), client_id="ci") is ROBOT
    assert await shown(meeting, client_id="ci", client_secret="s3cret") is ROBOT


@pytest.mark.requirement("clients:show-what-they-have")
@pytest.mark.parametrize(
    ("authorization", "form"),
    [
        (basic("ci", "wrong"), {}),
        (basic("ci", ""), {}),
        (basic("nobody", "s3cret"), {}),
        (basic("ci", "s3cret"), {"client_id": "signer"}),
        (basic("ci", "s3cret"), {"client_id": "ci", "client_secret": "s3cret"}),
        (basic("signer", "s3cret"), {}),
        (b"Basic !!!", {}),
        (b"Bearer s3cret", {}),
        (b"Basic " + base64.b64encode(b"ci"), {}),
        (b"Basic " + base64.b64encode(b"ci\xff:s"), {}),
        (None, {"client_id": "ci"}),
        (None, {"client_id": "signer"}),
        (None, {"client_secret": "s3cret"}),
        (None, {"client_id": "ci", "client_secret": "wrong"}),
        (None, {}),
    ],
)
async def test_who_shows_anything_else_is_not_that_client(
    meeting: Meeting, authorization: bytes | None, form: dict[str, str]
) -> None:
    meeting.clients.swap({"ci": ROBOT, "signer": SIGNER})

    found = await shown(meeting, authorization, **form)

    assert isinstance(found, OAuthError)
    assert found.code in ("invalid_client", "invalid_request")
    assert "s3cret" not in found.description


async def assertion_of(meeting: Meeting, text: str, **form: str) -> Client | OAuthError:
    meeting.clients.swap({"signer": SIGNER, "ci": ROBOT})
    return await shown(
        meeting, **{"client_assertion": text, "client_assertion_type": rfc7523.TYPE, **form}
    )


@pytest.mark.requirement("clients:show-what-they-have")
async def test_a_client_that_signs_is_known_by_its_key(meeting: Meeting) -> None:
    assert await assertion_of(meeting, signed(meeting)) is SIGNER
    endpoint = signed(meeting, aud=f"{PUBLIC}/oauth/token", jti="2")
    assert await assertion_of(meeting, endpoint, client_id="signer") is SIGNER


async def test_what_authlib_signs_for_a_client_is_taken(meeting: Meeting) -> None:
    meeting.now = time.time()
    text = private_key_jwt_sign(EC, "signer", f"{PUBLIC}/oauth/token", alg="ES256", expires_in=300)

    assert await assertion_of(meeting, text) is SIGNER


@pytest.mark.requirement("attack:d12")
async def test_an_assertion_of_a_client_counts_once_in_all_processes(meeting: Meeting) -> None:
    text = signed(meeting)
    _, elsewhere = meeting.another()
    elsewhere.swap({"signer": SIGNER})
    await assertion_of(meeting, text)

    again = await assertion_of(meeting, text)
    meeting.clients = elsewhere
    there = await assertion_of(meeting, text)

    for found in (again, there):
        assert isinstance(found, OAuthError)
        assert "shown before" in found.description


@pytest.mark.requirement("attack:d12")
async def test_of_many_who_show_one_assertion_at_once_one_is_the_client(meeting: Meeting) -> None:
    text = signed(meeting)

    found = await asyncio.gather(*(assertion_of(meeting, text) for _ in range(16)))

    assert sum(isinstance(one, Client) for one in found) == 1


@pytest.mark.requirement("attack:d12")
@pytest.mark.parametrize(
    ("changes", "form"),
    [
        ({"iss": "ci"}, {}),
        ({"sub": "ci", "iss": "ci"}, {}),
        ({"sub": "nobody", "iss": "nobody"}, {}),
        ({"aud": "https://other.example.com"}, {}),
        ({"head": {"typ": "oauth-id-jag+jwt"}}, {}),
        ({"head": {"typ": "at+jwt"}}, {}),
        ({"key": STRANGER}, {}),
        ({"exp": 1}, {}),
        ({}, {"client_id": "ci"}),
        ({}, {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}),
        ({}, {"client_secret": "s3cret", "client_id": "signer"}),
    ],
)
async def test_an_assertion_that_is_not_the_clients_own_for_here_is_refused(
    meeting: Meeting, changes: dict[str, Any], form: dict[str, str]
) -> None:
    found = await assertion_of(meeting, signed(meeting, **changes), **form)

    assert isinstance(found, OAuthError)
    assert found.code in ("invalid_client", "invalid_request")


async def test_a_client_of_a_document_signs_with_the_keys_that_stand_in_it(
    web: Site, published: Meeting
) -> None:
    method = "private_key_jwt"
    web.web.publish(PATH, document(token_endpoint_auth_method=method, jwks=public(EC)))

    found = await assertion_of(published, signed(published, iss=ID, sub=ID))

    assert isinstance(found, Client)
    assert (found.id, found.kind) == (ID, "cimd")
