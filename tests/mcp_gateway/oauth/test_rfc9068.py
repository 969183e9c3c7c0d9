"""A token authenticates when everything about it is right; what a stranger writes never does."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import Key, KeySet, OctKey

from mcp_gateway.core.principal import Principal
from mcp_gateway.oauth import rfc9068
from mcp_gateway.oauth.claims import TokenRefused
from mcp_gateway.oauth.rfc9068 import AccessTokens
from tests.support.tokens import (
    EC,
    ED,
    EXPECTED,
    ISSUER,
    NOW,
    RSA,
    STRANGER,
    claims,
    forged,
    public,
    signed,
    verifying,
)

GOOD = {"alg": "RS256", "kid": "rsa", "typ": "at+jwt"}


HERE = "https://gateway.example.com/servers/time/mcp"


def _refused(token: bytes, match: str = ".", tokens: AccessTokens | None = None) -> None:
    with pytest.raises(TokenRefused, match=match):
        (tokens or verifying()).accept(token, HERE)


@pytest.mark.parametrize(("key", "alg"), [(RSA, "RS256"), (EC, "ES256"), (ED, "Ed25519")])
def test_a_token_stands_for_its_subject_with_what_the_issuer_says_of_it(key: Key, alg: str) -> None:
    token = signed(claims(act={"sub": "agent-7"}), key, alg)

    accepted = verifying().accept(token, HERE)

    assert accepted.principal == Principal(
        issuer=ISSUER,
        subject="alice",
        tenant="acme",
        client="runtime",
        actor="agent-7",
        roles=frozenset({"user"}),
        scopes=frozenset({"orders:read", "orders:write"}),
    )
    assert accepted.expires == NOW + 290
    assert accepted.names == {
        f"subject:{ISSUER}|alice",
        f"token:{ISSUER}|t-1",
        "client:runtime",
        f"sessionless:{ISSUER}|alice",
    }


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
def test_the_older_name_of_ed25519_is_taken_when_it_is_allowed() -> None:
    tokens = verifying(replace(EXPECTED, algorithms=["EdDSA"]))

    assert tokens.accept(signed(None, ED, "EdDSA"), HERE).principal.subject == "alice"
    _refused(signed(None, ED, "Ed25519"), "not allowed", tokens)


@pytest.mark.requirement("identity:algorithms-are-listed")
@pytest.mark.parametrize("alg", ["none", "None", "nOnE", "HS256", "HS512", "RS1", "", None, 5, []])
def test_an_algorithm_that_is_not_listed_is_refused_before_any_key_is_looked_at(alg: Any) -> None:
    for secret in (None, b"", b"secret"):
        token = forged({**GOOD, "alg": alg}, claims(), secret)
        _refused(token, "not allowed here|nor a signed JWT")


@pytest.mark.requirement("identity:algorithms-are-listed")
@pytest.mark.parametrize("form", ["PEM", "DER"])
def test_the_public_key_is_no_shared_secret(form: Any) -> None:
    secret = RSA.as_bytes(form, private=False)

    _refused(forged({**GOOD, "alg": "HS256"}, claims(), secret), "not allowed")
    _refused(forged({**GOOD, "alg": "RS256"}, claims(), secret), "no key of the issuer")


def test_a_key_serves_its_own_algorithm_only() -> None:
    _refused(signed(None, RSA, "RS256", kid="ec"), "cannot be verified")
    _refused(signed(None, RSA, "PS256"), "not allowed")
    _refused(signed(None, EC, "ES256", kid="rsa"), "cannot be verified")


@pytest.mark.requirement("identity:only-the-issuer-signs")
def test_a_stranger_cannot_sign_under_the_name_of_a_key_of_the_issuer() -> None:
    _refused(signed(None, STRANGER), "no key of the issuer signed")


@pytest.mark.requirement("identity:only-the-issuer-signs")
def test_a_key_that_the_token_brings_along_is_not_used() -> None:
    brought = STRANGER.as_dict(private=False)
    for header in (
        {"jwk": brought},
        {"jku": "https://evil.example/jwks"},
        {"x5u": "https://evil.example/cert"},
    ):
        token = jws.serialize_compact(
            {**GOOD, **header},
            json.dumps(claims()),
            STRANGER,
            registry=_anything(),
        )
        _refused(token.encode(), "no key of the issuer|cannot be verified")


def _anything() -> jws.JWSRegistry:
    made = jws.JWSRegistry(algorithms=["RS256"])
    made.max_header_length = 100_000
    return made


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_token_of_which_anything_was_changed_is_refused(part: int) -> None:
    parts = signed().split(b".")
    for place in range(0, len(parts[part]) - 4, 7):
        changed = list(parts)
        old = changed[part][place : place + 1]
        new = b"A" if old != b"A" else b"B"
        changed[part] = changed[part][:place] + new + changed[part][place + 1 :]
        _refused(b".".join(changed))


@pytest.mark.parametrize(
    "token",
    [
        b"",
        b".",
        b"..",
        b"a.b",
        b"a.b.c.d.e",
        b"opaque-0123456789",
        b"\xff\xfe.\xff.\xff",
        b" " + b"a.b.c",
        b"a.b.c\r\nx: y",
        b"A" * 100_000,
        b"A" * 20_000 + b".B.C",
    ],
)
def test_what_is_no_signed_jwt_is_refused(token: bytes) -> None:
    _refused(token, "neither a key of this gateway nor a signed JWT")


def test_one_token_has_one_form() -> None:
    token = signed()
    tokens = verifying()

    for other in (token + b"=", token.replace(b".", b".!", 1), token + b"\n", token[:-3] + b"+/="):
        _refused(other, "nor a signed JWT", tokens)


@pytest.mark.parametrize(
    "header",
    [b"[]", b'["alg"]', b'"alg"', b"5", b"null", b"{", b"\xff", b"[" * 3000, b'{"alg":' * 300],
)
def test_a_header_that_is_no_object_is_refused(header: bytes) -> None:
    _refused(forged(header, claims(), b"x"), "cannot be read")


@pytest.mark.parametrize(
    "header",
    [
        {"kid": 5},
        {"kid": {}},
        {"kid": ["rsa"]},
        {"kid": None},
        {"kid": "x" * 2000},
        {"jwk": "no key"},
        {"x5c": {}},
    ],
)
def test_a_header_of_the_wrong_types_is_refused(header: dict[str, Any]) -> None:
    _refused(
        forged({**GOOD, **header}, claims(), b"x"),
        "cannot be verified|no key of the issuer|by that name",
    )


@pytest.mark.parametrize(
    "header",
    [{"crit": ["b64"], "b64": False}, {"crit": []}, {"crit": 5}, {"crit": [{}]}, {"b64": False}],
)
def test_an_extension_that_must_be_understood_is_refused(header: dict[str, Any]) -> None:
    _refused(forged({**GOOD, **header}, claims(), b"x"), "extension")


def test_a_header_member_that_need_not_be_understood_is_ignored() -> None:
    token = jws.serialize_compact(
        {**GOOD, "vendor": {"a": 1}},
        json.dumps(claims()),
        RSA,
        registry=jws.JWSRegistry(algorithms=["RS256"], strict_check_header=False),
    )

    assert verifying().accept(token.encode(), HERE).principal.subject == "alice"


@pytest.mark.requirement("identity:only-access-tokens")
@pytest.mark.parametrize(
    "typ", ["JWT", "jwt", "id+jwt", "oauth-id-jag+jwt", "logout+jwt", "", None]
)
def test_a_token_of_another_type_is_refused(typ: str | None) -> None:
    _refused(signed(None, typ=typ), "typ is not at\\+jwt")


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt"])
def test_the_type_of_an_access_token_may_be_written_in_full(typ: str) -> None:
    assert verifying().accept(signed(None, typ=typ), HERE).principal.subject == "alice"


def test_without_the_keys_of_the_issuer_nothing_is_accepted() -> None:
    tokens = AccessTokens(EXPECTED, lambda: NOW)

    assert not tokens.ready
    _refused(signed(), "not there yet", tokens)


@pytest.mark.requirement("identity:keys-rotate")
def test_what_was_accepted_under_a_key_is_refused_when_the_key_is_gone() -> None:
    tokens, token = verifying(), signed()
    tokens.accept(token, HERE)
    assert tokens.remembers(token)

    tokens.swap(KeySet.import_key_set(public(EC)))  # type: ignore[arg-type]

    assert not tokens.remembers(token)
    _refused(token, "by that name, yet", tokens)


@pytest.mark.requirement("identity:keys-rotate")
@pytest.mark.parametrize(
    ("token", "asked"),
    [
        (signed(None, kid="new"), True),
        (signed(None, STRANGER), True),
        (signed(claims(aud="https://elsewhere.example.com")), False),
        (forged({**GOOD, "alg": "none"}, claims()), False),
        (b"opaque", False),
    ],
)
def test_only_a_key_that_is_missed_is_asked_for(token: bytes, asked: bool) -> None:  # noqa: FBT001
    tokens = verifying()
    wants: list[None] = []
    tokens.wanted = lambda: wants.append(None)

    with pytest.raises(TokenRefused):
        tokens.accept(token, HERE)

    assert bool(wants) is asked


def test_a_remembered_token_still_expires() -> None:
    now = [float(NOW)]
    tokens = AccessTokens(EXPECTED, lambda: now[0])
    tokens.swap(KeySet.import_key_set(public(RSA)))  # type: ignore[arg-type]
    token = signed()
    tokens.accept(token, HERE)

    now[0] = NOW + 290 + rfc9068.LEEWAY
    tokens.accept(token, HERE)
    now[0] += 1

    _refused(token, "expired", tokens)


def test_no_more_tokens_are_remembered_than_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rfc9068, "MOST_REMEMBERED", 3)
    tokens = verifying()
    made = [signed(claims(jti=str(number))) for number in range(8)]

    for token in made:
        tokens.accept(token, HERE)

    assert 0 < sum(map(tokens.remembers, made)) <= 3


def test_a_refused_token_is_not_remembered() -> None:
    tokens = verifying()
    token = signed(None, STRANGER)

    _refused(token, "no key", tokens)

    assert not tokens.remembers(token)


def test_a_payload_that_is_no_object_is_refused() -> None:
    for payload in (b"[]", b"5", b"", b"{", b"[" * 50_000, b'"' + b"a" * 5000):
        token = jws.serialize_compact(GOOD, payload, RSA, algorithms=["RS256"]).encode()
        _refused(token, "cannot be verified|nor a signed JWT")


@given(st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=60))
def test_whatever_bytes_a_stranger_sends_are_refused_and_nothing_else_happens(
    header: bytes, payload: bytes, signature: bytes
) -> None:
    for token in (forged(header, payload, signature), header + b"." + payload + b"." + signature):
        _refused(token)


@given(
    st.dictionaries(
        st.sampled_from(["alg", "typ", "kid", "crit", "jwk", "jku", "x5c", "b64", "cty"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("RS256"),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2)
            ),
            max_leaves=4,
        ),
    )
)
def test_whatever_header_a_stranger_writes_is_refused_and_nothing_else_happens(
    header: dict[str, Any],
) -> None:
    _refused(forged({**GOOD, **header}, claims(), b"x"))


def test_a_symmetric_key_in_the_set_verifies_nothing() -> None:
    secret = OctKey.import_key(b"a secret that everybody can read, published by mistake")
    tokens = verifying()
    tokens.swap(KeySet([secret]))

    _refused(forged({"alg": "HS256", "typ": "at+jwt"}, claims(), b"x"), "not allowed", tokens)
    _refused(signed(None, kid=None), "cannot be verified", tokens)
