"""An ID token says who logged in, to the client that asked for it, once."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import Key, KeySet

from mcp_gateway.oauth.claims import TokenRefused
from mcp_gateway.oauth.oidc import RECENT, Expected, identified, nonce
from tests.support.tokens import EC, ED, ISSUER, NOW, RSA, STRANGER, forged

KEYS = KeySet.import_key_set({"keys": [key.as_dict(private=False) for key in (RSA, EC, ED)]})
EXPECTED = Expected(ISSUER, "gateway", "n-1")
GOOD: dict[str, Any] = {
    "iss": ISSUER,
    "sub": "ada",
    "aud": "gateway",
    "iat": NOW - 1,
    "exp": NOW + 300,
    "nonce": "n-1",
    "name": "Ada L.",
}


def signed(
    key: Key = RSA, alg: str = "RS256", head: dict[str, Any] | None = None, **said: Any
) -> str:
    """What the provider says; a claim of None is left out."""
    header = {"alg": alg, "kid": key.kid, **(head or {})}
    claims = {name: value for name, value in (GOOD | said).items() if value is not None}
    return jwt.encode(header, claims, key, algorithms=[alg], default_type=None)


@pytest.mark.requirement("login:an-id-token-is-held-to-its-log-in")
@pytest.mark.parametrize(
    ("key", "alg"), [(RSA, "RS256"), (RSA, "PS512"), (EC, "ES256"), (ED, "Ed25519")]
)
def test_it_names_the_person_by_subject_and_says_what_they_are_called(key: Key, alg: str) -> None:
    found = identified(signed(key, alg, roles=["ops"]), KEYS, EXPECTED, NOW)

    assert (found.subject, found.name, found.claims["roles"]) == ("ada", "Ada L.", ["ops"])


@pytest.mark.parametrize(
    "said",
    [{"aud": ["gateway"]}, {"azp": "gateway"}, {"aud": ["gateway", "api"], "azp": "gateway"}],
)
def test_others_may_use_it_too_if_it_was_made_for_this_client(said: dict[str, Any]) -> None:
    assert identified(signed(**said), KEYS, EXPECTED, NOW).subject == "ada"


REFUSED: list[dict[str, Any]] = [
    {"iss": f"{ISSUER}/"},
    {"iss": None},
    {"aud": "other"},
    {"aud": None},
    {"aud": []},
    {"aud": {"gateway": 1}},
    {"aud": ["gateway", "other"]},
    {"azp": "other"},
    {"aud": ["gateway", "other"], "azp": "other"},
    {"nonce": None},
    {"nonce": ""},
    {"nonce": "n-2"},
    {"nonce": ["n-1"]},
    {"exp": NOW - 31},
    {"exp": None},
    {"exp": str(NOW + 300)},
    {"exp": True},
    {"iat": None},
    {"iat": NOW + 31},
    {"iat": NOW - RECENT - 1},
    {"nbf": NOW + 31},
    {"sub": None},
    {"sub": ""},
    {"sub": 7},
    {"sub": "a" * 256},
    {"sub": "ad\na"},
    {"sub": "adä"},
]


@pytest.mark.requirement("login:an-id-token-is-held-to-its-log-in")
@pytest.mark.parametrize("said", REFUSED, ids=str)
def test_one_that_is_not_of_this_log_in_names_nobody(said: dict[str, Any]) -> None:
    with pytest.raises(TokenRefused):
        identified(signed(**said), KEYS, EXPECTED, NOW)


@pytest.mark.requirement("login:an-id-token-is-held-to-its-log-in")
@pytest.mark.parametrize("typ", ["at+jwt", "logout+jwt", "oauth-id-jag+jwt"])
def test_what_is_signed_for_another_use_is_none(typ: str) -> None:
    with pytest.raises(TokenRefused):
        identified(signed(head={"typ": typ}), KEYS, EXPECTED, NOW)


@pytest.mark.requirement("login:an-id-token-is-held-to-its-log-in")
@pytest.mark.parametrize(
    "token",
    [
        forged({"alg": "none"}, GOOD).decode(),
        forged({"alg": "none"}, GOOD).decode() + "AA",
        forged({"alg": "HS256", "kid": "rsa"}, GOOD, RSA.as_pem(private=False)).decode(),
        forged({"alg": "HS256"}, GOOD, b"the client secret").decode(),
        signed(STRANGER),
        signed(STRANGER, head={"jwk": STRANGER.as_dict(private=False)}),
        signed(STRANGER, head={"kid": "nobody"}),
        signed() + "=",
        signed() + "\n",
        signed().replace(".", " .", 1),
        "",
        "a.b.c",
    ],
)
def test_what_no_key_of_the_provider_signed_is_none(token: str) -> None:
    with pytest.raises(TokenRefused):
        identified(token, KEYS, EXPECTED, NOW)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"name": None, "preferred_username": "ada"}, "ada"),
        ({"name": "", "email": "ada@example.com"}, "ada@example.com"),
        ({"name": None}, ""),
        ({"name": ["Ada"]}, ""),
        ({"name": "x" * 500}, "x" * 200),
    ],
)
def test_what_a_person_is_called_may_be_missing_and_is_short(
    said: dict[str, Any], name: str
) -> None:
    assert identified(signed(**said), KEYS, EXPECTED, NOW).name == name


@given(st.binary(min_size=32, max_size=32), st.text(max_size=60), st.text(max_size=60))
def test_a_nonce_is_of_one_state_and_one_secret(secret: bytes, state: str, other: str) -> None:
    found = nonce(secret, state)

    assert found == nonce(secret, state)
    assert len(found) == 43
    assert (found == nonce(secret, other)) == (state == other)
    assert found != nonce(bytes(32) if secret != bytes(32) else b"1" * 32, state)
