"""A token says whom it is for, is read back here, and is taken by what verifies tokens."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey

from mcp_gateway.config.authorization import AuthorizationSection
from mcp_gateway.core.principal import Principal
from mcp_gateway.oauth.claims import TokenRefused
from mcp_gateway.oauth.rfc9068 import AccessTokens, Expected
from mcp_gateway.oauth.server import rfc9068
from mcp_gateway.oauth.server.rfc9068 import Token

ISSUER = "https://gw.example"
RESOURCE = "https://gw.example/mcp"
NOW = 1_700_000_000
ADA = Principal(
    "https://login.example",
    "ada",
    "acme",
    client="app",
    roles=frozenset({"user", "dev"}),
    scopes=frozenset({"mcp"}),
    mode="read",
)
TOKEN = Token(
    ISSUER,
    ADA,
    RESOURCE,
    "t-1",
    NOW,
    NOW + 3600,
    "f-1",
    frozenset({"key:0a1b", "client:an editor"}),
)


def key(kid: str = "k1") -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid, "alg": "ES256"}, private=True)


KEY = key()
PUBLIC = KeySet([ECKey.import_key(KEY.as_dict(private=False))])


def read(token: str, now: float = NOW) -> Any:
    return rfc9068.read(token, PUBLIC, ISSUER, now)


def forged(header: dict[str, Any], signer: Any = KEY, **changes: Any) -> str:
    said = {"alg": "ES256", "kid": "k1", "typ": "at+jwt", **header}
    return jwt.encode(said, TOKEN.claims() | changes, signer, algorithms=[said["alg"]])


@pytest.mark.requirement("identity:one-person-whatever-they-show")
@pytest.mark.parametrize("actor", ["", "agent-7"])
def test_what_verifies_tokens_takes_it_as_whom_it_was_made_for(actor: str) -> None:
    who = replace(ADA, actor=actor)
    verifying = AccessTokens(
        Expected(ISSUER, "", "", ["ES256"], rfc9068.LONGEST, ours=True), lambda: NOW
    )
    verifying.swap(PUBLIC)

    accepted = verifying.accept(replace(TOKEN, principal=who).signed(KEY).encode(), RESOURCE)

    assert accepted.principal == who
    assert {"family:f-1", "key:0a1b", f"token:{ISSUER}|t-1"} < accepted.names
    assert (accepted.issued, accepted.expires) == (NOW, NOW + 3600)


def test_it_is_read_back_here_until_it_expires() -> None:
    token = TOKEN.signed(KEY)

    assert read(token, NOW + 3599.9) == TOKEN.claims()
    assert "fam" not in replace(TOKEN, family="", login=frozenset()).claims()
    with pytest.raises(TokenRefused, match="expired"):
        read(token, NOW + 3600)


@pytest.mark.requirement("attack:d28")
@pytest.mark.parametrize(
    "token",
    [
        forged({"typ": "JWT"}),
        forged({"typ": "oauth-id-jag+jwt"}),
        forged({}, iss="https://evil.example"),
        forged({}, key()),
        forged({"kid": "other"}, key("other")),
        forged({"alg": "HS256"}, OctKey.import_key(b"x" * 32)),
        TOKEN.signed(KEY).rpartition(".")[0] + ".",
        TOKEN.signed(KEY)[:-8] + "AAAAAAAA",
    ],
)
def test_what_was_not_signed_here_as_an_access_token_is_none_of_ours(token: str) -> None:
    with pytest.raises(TokenRefused):
        read(token)


@given(st.text(max_size=60) | st.from_regex(r"[\w-]{0,20}\.[\w-]{0,20}\.[\w-]{0,20}"))
def test_whatever_is_shown_is_refused_and_nothing_else_happens(text: str) -> None:
    with pytest.raises(TokenRefused):
        read(text)


def test_no_configuration_makes_a_token_that_lives_longer_than_its_revocation() -> None:
    limits = [
        limit.le
        for limit in AuthorizationSection.model_fields["access_token"].metadata
        if hasattr(limit, "le")
    ]

    assert limits == [rfc9068.LONGEST]


@pytest.mark.parametrize("crit", [5, "x", {}, [], ["x"], None])
def test_an_extension_of_whatever_type_is_refused(crit: Any) -> None:
    header, claims, signature = TOKEN.signed(KEY).split(".")
    said = json.loads(base64.urlsafe_b64decode(header + "==")) | {"crit": crit}
    changed = base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()

    with pytest.raises(TokenRefused):
        read(f"{changed}.{claims}.{signature}")
