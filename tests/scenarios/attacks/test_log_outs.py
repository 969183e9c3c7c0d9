"""Attacks on the back channel: log-outs that the issuer did not tell of, or not now, or not us."""

import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.support.gateway import GatewayUnderTest, gateway_under_test
from tests.support.issuer import Issuer, issuer
from tests.support.tokens import forged
from tests.support.waiting import until

PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
CONFIG = """
[identity]
issuer = "@ISSUER@"
audience = "http://127.0.0.1:@PORT@/mcp"
backchannel = ["runtime"]
"""
STRANGER = RSAKey.generate_key(2048, {"kid": "k-1", "use": "sig"})
EVENTS: dict[str, Any] = {"http://schemas.openid.net/event/backchannel-logout": {}}


@pytest.fixture(scope="module")
def vouching() -> Iterator[Issuer]:
    with issuer() as made:
        yield made


@pytest.fixture(scope="module")
async def gateway(
    vouching: Issuer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[GatewayUnderTest]:
    folder: Path = tmp_path_factory.mktemp("attacks")
    async with gateway_under_test(folder, CONFIG.replace("@ISSUER@", vouching.url)) as made:
        await until(lambda: made.parts.tokens is not None and made.parts.tokens.ready)
        yield made


async def _told(gateway: GatewayUnderTest, token: str) -> int:
    async with httpx2.AsyncClient(base_url=gateway.url) as http:
        answer = await http.post("/oauth/backchannel/issuer", data={"logout_token": token})
    return answer.status_code


async def _stands(gateway: GatewayUnderTest, token: str) -> bool:
    headers = {"authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(base_url=gateway.url, headers=headers) as http:
        return (await http.post("/mcp", json=PING)).status_code == 200


def _token(gateway: GatewayUnderTest, vouching: Issuer, subject: str, **claims: Any) -> str:
    return vouching.token(subject, f"{gateway.url}/mcp", **claims)


@pytest.mark.requirement("attack:a8")
async def test_a_log_out_that_is_told_again_ends_nothing_that_began_since(
    gateway: GatewayUnderTest, vouching: Issuer
) -> None:
    now = int(time.time())
    before = _token(gateway, vouching, "ada", iat=now - 60, jti="before")
    since = _token(gateway, vouching, "ada", iat=now, jti="since")
    logout = vouching.logout("ada", iat=now - 30)

    first, again = await _told(gateway, logout), await _told(gateway, logout)

    assert (first, again) == (200, 400)
    assert not await _stands(gateway, before)
    assert await _stands(gateway, since)
    told = [line for line in gateway.entries() if line["kind"] == "revoked"]
    assert [line["name"] for line in told] == [f"subject:{vouching.url}|ada"]
    assert logout not in json.dumps(gateway.entries())


def _id_token(vouching: Issuer, now: int) -> str:
    """Of the same issuer, for the same client, about the same person, with the event in it."""
    head = {"alg": "RS256", "kid": "k-1", "typ": "JWT"}
    said = {"iss": vouching.url, "sub": "bob", "aud": "runtime", "iat": now, "exp": now + 300}
    more = {"nonce": "n-1", "jti": "i-1", "events": EVENTS}
    return jwt.encode(head, said | more, vouching.key)


def _id_token_by_type(vouching: Issuer, _: int) -> str:
    """The nonce alone tells that a log-in asked for it (section 2.4)."""
    return vouching.logout("bob", nonce="n-1")


def _access_token(vouching: Issuer, _: int) -> str:
    return vouching.token("bob", "runtime", events=EVENTS)


def _other_event(vouching: Issuer, _: int) -> str:
    """A security event of the issuer's that is no log-out (RFC 8417)."""
    return vouching.logout("bob", events={"https://schemas.openid.net/secevent/other": {}})


@pytest.mark.requirement("attack:a9")
@pytest.mark.parametrize("make", [_id_token, _id_token_by_type, _access_token, _other_event])
async def test_no_other_token_of_the_issuer_is_a_log_out(
    gateway: GatewayUnderTest, vouching: Issuer, make: Callable[[Issuer, int], str]
) -> None:
    standing = _token(gateway, vouching, "bob")
    assert await _stands(gateway, standing)

    assert await _told(gateway, make(vouching, int(time.time()))) == 400
    assert await _stands(gateway, standing)


@pytest.mark.requirement("attack:a10")
@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another"},
        {"aud": ["runtime", "another"]},
        {"aud": None},
        {"iss": "https://evil.example.com"},
        {"iat": int(time.time()) - 900, "exp": int(time.time()) - 800},
        {"iat": int(time.time()) + 900, "exp": int(time.time()) + 1000},
        {"exp": None},
        {"jti": None},
        {"sub": None},
    ],
)
async def test_a_log_out_for_others_or_for_another_time_ends_nothing(
    gateway: GatewayUnderTest, vouching: Issuer, claims: dict[str, Any]
) -> None:
    standing = _token(gateway, vouching, "carol")
    assert await _stands(gateway, standing)

    assert await _told(gateway, vouching.logout("carol", **claims)) == 400
    assert await _stands(gateway, standing)


def _said(vouching: Issuer) -> dict[str, Any]:
    now = int(time.time())
    about = {"iss": vouching.url, "sub": "dan", "aud": "runtime", "jti": f"f-{now}"}
    return about | {"iat": now, "exp": now + 60, "events": EVENTS}


def _none(vouching: Issuer) -> str:
    return forged({"alg": "none", "typ": "logout+jwt"}, _said(vouching)).decode()


def _shared(vouching: Issuer) -> str:
    head = {"alg": "HS256", "kid": "k-1", "typ": "logout+jwt"}
    return forged(head, _said(vouching), vouching.key.as_pem(private=False)).decode()


def _by_a_stranger(vouching: Issuer) -> str:
    head = {"alg": "RS256", "kid": "k-1", "typ": "logout+jwt"}
    return jwt.encode(head, _said(vouching), STRANGER)


def _brought(vouching: Issuer) -> str:
    own = STRANGER.as_dict(private=False)
    head = {"alg": "RS256", "kid": "mallory", "typ": "logout+jwt", "jwk": own}
    return jwt.encode(head, _said(vouching), STRANGER)


@pytest.mark.requirement("attack:a11")
@pytest.mark.parametrize("forge", [_none, _shared, _by_a_stranger, _brought])
async def test_nobody_but_the_issuer_logs_people_out(
    gateway: GatewayUnderTest, vouching: Issuer, forge: Callable[[Issuer], str]
) -> None:
    standing = _token(gateway, vouching, "dan")
    assert await _stands(gateway, standing)

    assert await _told(gateway, forge(vouching)) == 400
    assert await _stands(gateway, standing)
