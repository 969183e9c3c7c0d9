"""What a logout token says, and all that is none."""

import time
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, Key, KeySet, RSAKey

from mcp_gateway.oauth.backchannel import EVENT, Expected
from mcp_gateway.oauth.server.rfc7523 import AssertionRefused
from tests.support.tokens import forged

ISSUER = "https://login.example.com"
NOW = int(time.time())
KEY = RSAKey.generate_key(2048, {"kid": "k-1", "use": "sig"})
EC = ECKey.generate_key("P-256", {"kid": "k-1", "use": "sig"})
KEYS = KeySet([KEY])
EXPECTED = Expected(ISSUER, frozenset({"runtime", "desk"}), ("RS256", "ES256"))


def _claims(**changes: Any) -> dict[str, Any]:
    found = {
        "iss": ISSUER,
        "sub": "alice",
        "aud": "runtime",
        "iat": NOW - 5,
        "exp": NOW + 115,
        "jti": "l-1",
        "events": {EVENT: {}},
    }
    return {name: value for name, value in (found | changes).items() if value is not None}


def _signed(claims: Mapping[str, Any], key: Key = KEY, alg: str = "RS256", **head: Any) -> str:
    said = {"alg": alg, "kid": "k-1", "typ": "logout+jwt", **head}
    said = {name: value for name, value in said.items() if value is not None}
    return jwt.encode(said, dict(claims), key, algorithms=[alg], default_type=None)


@pytest.mark.requirement("revocation:issuers-tell-of-log-outs")
@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, {f"subject:{ISSUER}|alice"}),
        ({"sid": "s-1"}, {f"session:{ISSUER}|s-1", f"sessionless:{ISSUER}|alice"}),
        ({"sid": "s-1", "sub": None}, {f"session:{ISSUER}|s-1"}),
        ({"aud": ["desk"]}, {f"subject:{ISSUER}|alice"}),
    ],
)
def test_a_log_out_is_of_the_session_that_it_names_or_else_of_the_person(
    changes: dict[str, Any], names: set[str]
) -> None:
    logout = EXPECTED.read(_signed(_claims(**changes)), KEYS, NOW)

    assert logout.names == names
    assert (logout.issuer, logout.id) == (ISSUER, "l-1")
    assert (logout.issued, logout.expires) == (NOW - 5, NOW + 115)


def test_the_long_form_of_its_type_is_the_same_type() -> None:
    assert EXPECTED.read(_signed(_claims(), typ="application/logout+jwt"), KEYS, NOW).id == "l-1"


@pytest.mark.requirement("revocation:issuers-tell-of-log-outs")
@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example.com"},
        {"iss": f"{ISSUER}/"},
        {"aud": "another"},
        {"aud": None},
        {"aud": ["runtime", "another"]},
        {"aud": []},
        {"iat": None},
        {"iat": NOW + 31},
        {"iat": str(NOW)},
        {"exp": None},
        {"exp": NOW},
        {"exp": NOW + 700},
        {"jti": None},
        {"jti": ""},
        {"jti": 5},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sid": 7},
        {"sid": ""},
        {"sid": "s-1", "sub": ["alice"]},
        {"events": None},
        {"events": []},
        {"events": EVENT},
        {"events": {}},
        {"events": {EVENT: None}},
        {"events": {EVENT: "yes"}},
        {"events": {"http://schemas.openid.net/event/other": {}}},
        {"nonce": "n-1"},
        {"nonce": ""},
    ],
)
def test_claims_that_make_no_log_out_are_refused(changes: dict[str, Any]) -> None:
    said = _claims(**changes) | ({"nonce": ""} if changes == {"nonce": ""} else {})

    with pytest.raises(AssertionRefused):
        EXPECTED.read(_signed(said), KEYS, NOW)


@pytest.mark.requirement("identity:only-the-issuer-signs")
@pytest.mark.parametrize(
    "token",
    [
        _signed(_claims(), typ=None),
        _signed(_claims(), typ="JWT"),
        _signed(_claims(), typ="at+jwt"),
        _signed(_claims(), RSAKey.generate_key(2048, {"kid": "k-1"})),
        _signed(_claims(), EC, "ES256"),
        _signed(_claims(), KEY, "PS256"),
        _signed(_claims(), jwk=KEY.as_dict(private=False)),
        _signed(_claims(), jku="https://evil.example.com/jwks"),
        forged({"alg": "none", "typ": "logout+jwt"}, _claims()).decode(),
        forged(
            {"alg": "HS256", "typ": "logout+jwt", "kid": "k-1"},
            _claims(),
            KEY.as_pem(private=False),
        ).decode(),
        "",
        "a.b",
        "a.b.c",
        "x" * 20_000,
    ],
)
def test_what_the_issuer_did_not_sign_as_a_log_out_is_refused(token: str) -> None:
    with pytest.raises(AssertionRefused):
        EXPECTED.read(token, KEYS, NOW)


@given(
    st.dictionaries(
        st.sampled_from(["sub", "sid", "jti", "events", "aud", "iat"]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.text()
        | st.lists(st.text())
        | st.dictionaries(st.text(), st.text()),
    )
)
def test_whatever_the_issuer_signs_is_a_log_out_of_somebody_or_refused(
    changes: dict[str, Any],
) -> None:
    try:
        logout = EXPECTED.read(_signed(_claims() | changes), KEYS, NOW)
    except AssertionRefused:
        return

    assert logout.names
    assert all(name.partition("|")[2] for name in logout.names)
