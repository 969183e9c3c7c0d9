"""Attacks on who calls: tokens that are not for us, not by the issuer, or not tokens at all."""

import base64
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
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
"""
STRANGER = RSAKey.generate_key(2048, {"kid": "k-1", "use": "sig"})


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


async def _status(gateway: GatewayUnderTest, token: str, **said: Any) -> int:
    headers = {"authorization": f"Bearer {token}", **said.pop("headers", {})}
    async with httpx2.AsyncClient(base_url=gateway.url, headers=headers) as http:
        return (await http.post(said.pop("path", "/mcp"), json=PING, **said)).status_code


def _claims(vouching: Issuer, gateway: GatewayUnderTest, **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    good = {
        "iss": vouching.url,
        "sub": "mallory",
        "aud": f"{gateway.url}/mcp",
        "iat": now,
        "exp": now + 300,
        "jti": f"a-{now}",
        "client_id": "runtime",
    }
    return good | changes


def _forged(head: dict[str, Any], content: dict[str, Any], key: Any = STRANGER) -> str:
    alg = head["alg"]
    return jwt.encode(head, content, key, algorithms=[alg], default_type=None)


def _unsigned(head: dict[str, Any], content: dict[str, Any]) -> str:
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()) for part in (head, content))
    return ".".join(part.rstrip(b"=").decode() for part in parts) + "."


@pytest.mark.requirement("attack:a1")
async def test_a_token_for_somebody_else_or_another_endpoint_opens_nothing(
    gateway: GatewayUnderTest, vouching: Issuer
) -> None:
    own = f"{gateway.url}/servers/time/mcp"
    elsewhere = vouching.token("mallory", "https://other.example.com/mcp")
    narrow = vouching.token("mallory", own)

    good = vouching.token("mallory", f"{gateway.url}/mcp")

    assert await _status(gateway, good) == 200
    assert await _status(gateway, elsewhere) == 401
    assert await _status(gateway, narrow) == 401
    assert await _status(gateway, narrow, path="/servers/orders/mcp") == 401


@pytest.mark.requirement("attack:a2")
@pytest.mark.parametrize("typ", ["JWT", "oauth-id-jag+jwt", "logout+jwt", "secevent+jwt", None])
async def test_id_tokens_assertions_and_log_out_tokens_are_no_access_tokens(
    gateway: GatewayUnderTest, vouching: Issuer, typ: str | None
) -> None:
    head = {"alg": "RS256", "kid": "k-1", **({"typ": typ} if typ else {})}

    token = _forged(head, _claims(vouching, gateway), vouching.key)

    assert await _status(gateway, token) == 401


def _none(head: dict[str, Any], content: dict[str, Any], _: Issuer) -> str:
    return _unsigned(head | {"alg": "none"}, content)


def _shared(head: dict[str, Any], content: dict[str, Any], vouching: Issuer) -> str:
    """With what everybody may know of the issuer's key as the secret."""
    return forged(head | {"alg": "HS256"}, content, vouching.key.as_pem(private=False)).decode()


def _brought(head: dict[str, Any], content: dict[str, Any], _: Issuer) -> str:
    own = STRANGER.as_dict(private=False)
    return _forged(head | {"jwk": own, "kid": "mallory"}, content)


def _pointed(head: dict[str, Any], content: dict[str, Any], _: Issuer) -> str:
    places = {"jku": "https://evil.example.com/jwks", "x5u": "https://evil.example.com/x"}
    return _forged(head | places, content)


def _critical(head: dict[str, Any], content: dict[str, Any], vouching: Issuer) -> str:
    """By the issuer's very key, and with an extension that nobody here knows."""
    body = _unsigned(head | {"crit": ["b64x"], "b64x": 1}, content).rstrip(".")
    key = vouching.key.private_key
    assert key is not None
    made = key.sign(body.encode(), PKCS1v15(), SHA256())
    return f"{body}.{base64.urlsafe_b64encode(made).rstrip(b'=').decode()}"


@pytest.mark.requirement("attack:a3")
@pytest.mark.parametrize("forge", [_none, _shared, _brought, _pointed, _critical])
async def test_no_header_makes_a_token_that_the_issuer_did_not_sign(
    gateway: GatewayUnderTest,
    vouching: Issuer,
    forge: Callable[[dict[str, Any], dict[str, Any], Issuer], str],
) -> None:
    head = {"alg": "RS256", "kid": "k-1", "typ": "at+jwt"}

    assert await _status(gateway, forge(head, _claims(vouching, gateway), vouching)) == 401


@pytest.mark.requirement("attack:a4")
async def test_a_token_in_the_address_or_the_body_is_nobodys(
    gateway: GatewayUnderTest, vouching: Issuer
) -> None:
    token = vouching.token("mallory", f"{gateway.url}/mcp")
    async with httpx2.AsyncClient(base_url=gateway.url) as http:
        in_query = await http.post("/mcp", params={"access_token": token}, json=PING)
        in_body = await http.post("/mcp", data={"access_token": token})

    assert (in_query.status_code, in_body.status_code) == (401, 401)


@pytest.mark.requirement("attack:a5")
async def test_the_id_of_a_session_is_no_credential(
    gateway: GatewayUnderTest, vouching: Issuer
) -> None:
    ada, mallory = (vouching.token(name, f"{gateway.url}/mcp") for name in ("ada", "mallory"))
    async with httpx2.AsyncClient(base_url=gateway.url) as http:
        begun = await http.post(
            "/mcp",
            headers={"authorization": f"Bearer {ada}"},
            json={**PING, "method": "initialize", "params": {}},
        )
        stolen = {"mcp-session-id": begun.headers["mcp-session-id"]}
        alone = await http.post("/mcp", headers=stolen, json=PING)

    assert alone.status_code == 401
    assert await _status(gateway, mallory, headers=stolen) == 404
    assert await _status(gateway, ada, headers=stolen) == 200


@pytest.mark.requirement("attack:a6")
@pytest.mark.parametrize(
    "name",
    [
        "x-forwarded-user",
        "x-remote-user",
        "x-forwarded-email",
        "x-user-id",
        "x-forwarded-access-token",
    ],
)
async def test_headers_that_proxies_vouch_by_vouch_for_nobody(
    gateway: GatewayUnderTest, name: str
) -> None:
    async with httpx2.AsyncClient(base_url=gateway.url) as http:
        answer = await http.post("/mcp", headers={name: "admin"}, json=PING)

    assert answer.status_code == 401


@pytest.mark.requirement("attack:a7")
@pytest.mark.parametrize("by", ["subject", "client", "token"])
async def test_what_was_revoked_opens_nothing_though_it_was_taken_before(
    gateway: GatewayUnderTest, vouching: Issuer, by: str
) -> None:
    claims = _claims(vouching, gateway, sub=f"leaver-{by}", client_id=f"c-{by}", jti=f"j-{by}")
    token = _forged({"alg": "RS256", "kid": "k-1", "typ": "at+jwt"}, claims, vouching.key)
    names = {
        "subject": f"{vouching.url}|leaver-{by}",
        "client": f"c-{by}",
        "token": token,
    }
    before = await _status(gateway, token)
    async with gateway.http("admin") as http:
        revoked = await http.post("/admin/tokens/revoke", json={by: names[by]})

    assert (before, revoked.status_code) == (200, 200)
    assert await _status(gateway, token) == 401
    assert token not in json.dumps(gateway.entries())
