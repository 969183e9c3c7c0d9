"""What clients show of themselves: a secret, an assertion, or only who they are."""

import asyncio
import base64
import time
from typing import Any
from urllib.parse import quote_plus, urlencode

import pytest
from authlib.oauth2.rfc7523 import private_key_jwt_sign
from joserfc import jwt

from mcp_gateway.limits.bucket import Rate
from mcp_gateway.oauth.rfc7517 import key_set
from mcp_gateway.oauth.server import rfc7523
from mcp_gateway.oauth.server.rfc6749 import OAuthError, Parameters
from mcp_gateway.services.authorization.client import Client, digest_of
from tests.support.strangers import ID, PATH, PUBLIC, Meeting, Site, document
from tests.support.tokens import EC, STRANGER, public

PEER = "192.0.2.1"
GRANTS = frozenset({"client_credentials"})
ROBOT = Client("ci", "registered", "ci", "client_secret_basic", GRANTS, secret=digest_of("s3cret"))
SIGNER = Client(
    "signer", "registered", "signer", "private_key_jwt", GRANTS, keys=key_set(public(EC))
)


async def registered(meeting: Meeting, method: str) -> Any:
    said = {"redirect_uris": ["http://[::1]"], "token_endpoint_auth_method": method}
    return await meeting.clients.register(said, PEER, Rate.parse("10/minute"), [])


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


@pytest.mark.requirement("clients:show-what-they-have")
async def test_a_client_without_a_secret_says_who_it_is(meeting: Meeting) -> None:
    id_ = (await registered(meeting, "none"))["client_id"]

    found = await shown(meeting, client_id=id_)

    assert isinstance(found, Client)
    assert found.id == id_


@pytest.mark.requirement("clients:show-what-they-have")
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_a_secret_counts_where_its_client_said_that_it_would_show_it(
    meeting: Meeting, method: str
) -> None:
    answer = await registered(meeting, method)
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
    said = {"client_assertion": text, "client_assertion_type": rfc7523.TYPE, **form}
    return await shown(meeting, None, **said)


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
