"""Assertions of clients and providers: verified strictly, for one audience and one use."""

import base64
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws, jwt
from joserfc.jwk import ECKey, Key, KeySet, RSAKey
from joserfc.jws import JWSRegistry

from mcp_gateway.oauth.rfc7517 import key_set
from mcp_gateway.oauth.server.rfc7523 import (
    LEEWAY,
    LIFETIME,
    LONGEST,
    AssertionRefused,
    Terms,
    unverified,
    verified,
)
from tests.support.tokens import EC, RSA, STRANGER, forged, public

NOW = int(time.time())
OURS = "https://gateway.example.com"
TERMS = Terms("robot", {OURS, f"{OURS}/oauth/token"}, ("ES256", "RS256"), {"", "jwt"})
KEYS: KeySet = key_set(public(EC, RSA))


def claims(**changes: Any) -> dict[str, Any]:
    good = {"iss": "robot", "sub": "robot", "aud": OURS, "jti": "1", "iat": NOW, "exp": NOW + 60}
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def assertion(key: Key = EC, alg: str = "ES256", head: Any = None, **changes: Any) -> str:
    """Signed by this key, whatever the header says besides."""
    header = {"alg": alg, "kid": key.kid, **(head or {})}
    registry = JWSRegistry(algorithms=[alg], strict_check_header=False)
    content = json.dumps(claims(**changes))
    if {"crit", "b64"} & set(header) or header.get("typ") == 5:
        return _by_hand(header, content, key)
    return jws.serialize_compact(header, content, key, registry=registry)


def _by_hand(header: Any, content: str, key: Key) -> str:
    parts = [
        base64.urlsafe_b64encode(part.encode()).rstrip(b"=")
        for part in (json.dumps(header), content)
    ]
    signing = JWSRegistry().get_alg("ES256")
    signature = signing.sign(b".".join(parts), key)
    return b".".join((*parts, base64.urlsafe_b64encode(signature).rstrip(b"="))).decode()


def test_an_assertion_that_holds_says_whose_it_is_and_until_when() -> None:
    held = verified(assertion(), KEYS, TERMS, NOW)

    assert (held.subject, held.id, held.expires) == ("robot", "1", NOW + 60)
    assert held.claims["aud"] == OURS


@pytest.mark.parametrize("audience", [f"{OURS}/oauth/token", [OURS]])
def test_the_token_endpoint_is_an_audience_too_and_so_is_a_list_of_one(audience: Any) -> None:
    assert verified(assertion(aud=audience), KEYS, TERMS, NOW).id == "1"


@pytest.mark.requirement("attack:d12")
@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "another"},
        {"iss": None},
        {"iss": ["robot"]},
        {"aud": "https://other.example.com"},
        {"aud": f"{OURS}/"},
        {"aud": [OURS, "https://other.example.com"]},
        {"aud": [OURS, OURS]},
        {"aud": []},
        {"aud": [[OURS]]},
        {"aud": {OURS: 1}},
        {"aud": None},
        {"sub": None},
        {"sub": ""},
        {"sub": ["robot"]},
        {"sub": "a\nb"},
        {"sub": "x" * 513},
        {"jti": None},
        {"jti": ""},
        {"jti": 5},
        {"jti": "\ud800"},
        {"jti": "a\x00b"},
        {"exp": None},
        {"exp": "soon"},
        {"exp": NOW + 60.5},
        {"exp": True},
        {"exp": NOW},
        {"exp": NOW - 1},
        {"exp": NOW + LIFETIME + 1},
        {"iat": None},
        {"iat": NOW + LEEWAY + 1, "exp": NOW + LEEWAY + 60},
        {"nbf": NOW + LEEWAY + 1},
        {"nbf": "now"},
    ],
)
def test_an_assertion_that_says_anything_else_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(AssertionRefused):
        verified(assertion(**changes), KEYS, TERMS, NOW)


@pytest.mark.requirement("attack:d12")
@pytest.mark.parametrize(
    "head",
    [
        {"typ": "at+jwt"},
        {"typ": "oauth-id-jag+jwt"},
        {"typ": 5},
        {"crit": ["exp"]},
        {"b64": False},
        {"jwk": EC.as_dict(private=False)},
        {"jku": "https://evil.example/jwks"},
        {"x5u": "https://evil.example/x5u"},
        {"x5c": ["MII"]},
    ],
)
def test_an_assertion_of_another_type_or_with_a_key_of_its_own_is_refused(
    head: dict[str, Any],
) -> None:
    text = assertion(head=head)

    with pytest.raises(AssertionRefused, match=r"type|of its own"):
        verified(text, KEYS, TERMS, NOW)


@pytest.mark.requirement("attack:d12")
def test_only_listed_algorithms_and_keys_of_the_issuer_count() -> None:
    shared = RSA.as_pem(private=False)
    refused = [
        assertion(STRANGER, "RS256"),
        assertion(ECKey.generate_key("P-256", {"kid": "ec"})),
        assertion(ECKey.generate_key("P-256", {"kid": "unknown"})),
        assertion(RSA, "PS256"),
        forged({"alg": "HS256", "kid": "rsa"}, claims(), shared).decode(),
        forged({"alg": "none"}, claims()).decode() + "AA",
        _by_hand({"alg": ["ES256"], "kid": "ec"}, json.dumps(claims()), EC),
        _by_hand({"kid": "ec"}, json.dumps(claims()), EC),
    ]

    for text in refused:
        with pytest.raises(AssertionRefused):
            verified(text, KEYS, TERMS, NOW)


def test_an_assertion_whose_content_was_changed_is_refused() -> None:
    head, _, signature = assertion().split(".")
    other = base64.urlsafe_b64encode(json.dumps(claims(sub="admin")).encode()).rstrip(b"=").decode()

    with pytest.raises(AssertionRefused, match="not signed"):
        verified(f"{head}.{other}.{signature}", KEYS, TERMS, NOW)


def test_a_client_with_one_key_need_not_name_it() -> None:
    text = jwt.encode({"alg": "ES256"}, claims(), EC)

    assert verified(text, key_set(public(EC)), TERMS, NOW).id == "1"


def test_whose_an_assertion_would_be_is_read_before_it_is_verified() -> None:
    assert unverified(assertion(STRANGER, "RS256", sub="whoever"), "sub") == "whoever"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b",
        "a.b.c.d",
        "a.b.c",
        "é.é.é",
        assertion(sub=None),
        assertion(sub=["robot"]),
        assertion(sub="\ud800"),
        assertion(sub="a\nb"),
        assertion(sub="robot", pad="x" * LONGEST),
    ],
)
def test_what_is_no_assertion_or_does_not_say_whose_it_is_is_refused(text: str) -> None:
    with pytest.raises(AssertionRefused):
        unverified(text, "sub")


@given(st.text(max_size=100), st.binary(max_size=60))
def test_no_text_whatever_is_more_than_refused(text: str, content: bytes) -> None:
    part = base64.urlsafe_b64encode(content).rstrip(b"=").decode()
    for shown in (text, f"{part}.{part}.{part}"):
        with pytest.raises(AssertionRefused):
            verified(shown, KEYS, TERMS, NOW)


def test_a_key_for_another_algorithm_is_refused_without_a_fault() -> None:
    with pytest.raises(AssertionRefused):
        verified(assertion(RSA, "RS256", {"kid": "ec"}), KEYS, TERMS, NOW)
    with pytest.raises(AssertionRefused):
        verified(assertion(), key_set(public(RSAKey.generate_key(2048, {"kid": "ec"}))), TERMS, NOW)
