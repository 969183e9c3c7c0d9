"""The gateway's own tokens and those of an issuer outside, side by side."""

from typing import Any

import pytest
from joserfc.jwk import ECKey, Key, KeySet

from mcp_gateway.core.principal import Principal
from mcp_gateway.oauth.claims import TokenRefused
from mcp_gateway.oauth.rfc9068 import AccessTokens, Expected
from mcp_gateway.oauth.tokens import Verifiers
from tests.support.tokens import AUDIENCE, ISSUER, NOW, RSA, claims, public, signed, verifying

PUBLIC = "https://gateway.example.com"
HERE = f"{PUBLIC}/servers/time/mcp"
OWN_KEY = ECKey.generate_key("P-256", {"kid": "own", "use": "sig"}, private=True)
OWN = Expected(PUBLIC, "", "", ["ES256"], 86_400, ours=True)


def _both() -> Verifiers:
    own = AccessTokens(OWN, lambda: NOW)
    own.swap(KeySet.import_key_set(public(OWN_KEY)))  # type: ignore[arg-type]
    return Verifiers(own, verifying())


def _minted(key: Key = OWN_KEY, alg: str = "ES256", **changes: Any) -> bytes:
    """As the gateway's own server mints them."""
    said = {
        "iss": PUBLIC,
        "sub": "p-1",
        "aud": [HERE],
        "idp": "local",
        "idp_sub": "alice",
        "tenant": "acme",
        "mode": "attended",
        "fam": "f-1",
        "iat": NOW - 10,
        "exp": NOW + 3590,
    }
    return signed(claims(**(said | changes)), key, alg)


@pytest.mark.requirement("identity:one-person-whatever-they-show")
def test_a_token_of_our_own_stands_for_whom_the_persons_own_issuer_says() -> None:
    accepted = _both().accept(_minted(), HERE)

    assert accepted.principal == Principal(
        "local",
        "alice",
        "acme",
        client="runtime",
        roles=frozenset({"user"}),
        scopes=frozenset({"orders:read", "orders:write"}),
        mode="attended",
    )
    assert accepted.names == {
        f"token:{PUBLIC}|t-1",
        "subject:local|alice",
        "sessionless:local|alice",
        "client:runtime",
        "family:f-1",
    }


@pytest.mark.requirement("identity:one-person-whatever-they-show")
def test_a_person_of_the_issuer_is_the_same_by_its_token_and_by_ours() -> None:
    both = _both()

    theirs = both.accept(signed(), HERE).principal
    ours = both.accept(_minted(idp=ISSUER, idp_sub="alice"), HERE).principal

    assert theirs.identity == ours.identity
    assert theirs.tenant == ours.tenant


@pytest.mark.requirement("identity:tokens-are-for-us")
@pytest.mark.parametrize(
    "aud",
    [
        AUDIENCE,
        PUBLIC,
        f"{HERE}/",
        HERE.upper(),
        f"{HERE}?x",
        HERE.replace("https:", "http:"),
        HERE.replace(".com/", ".com:443/"),
        "",
        [],
        ["", AUDIENCE],
    ],
)
def test_a_token_of_our_own_is_for_the_very_endpoint_to_the_letter(aud: Any) -> None:
    with pytest.raises(TokenRefused, match="another audience"):
        _both().accept(_minted(aud=aud), HERE)


@pytest.mark.parametrize("name", ["idp", "idp_sub", "tenant"])
def test_a_token_of_our_own_that_does_not_say_who_logged_in_is_refused(name: str) -> None:
    without: dict[str, Any] = {name: None}

    with pytest.raises(TokenRefused, match="who was logged in"):
        _both().accept(_minted(**without), HERE)


@pytest.mark.requirement("identity:only-the-issuer-signs")
@pytest.mark.parametrize(
    "token",
    [
        _minted(RSA, "RS256"),
        _minted(RSA, "RS256", iss=ISSUER, idp="local"),
        signed(claims(iss=ISSUER), OWN_KEY, "ES256"),
        signed(claims(iss="https://elsewhere.example.com")),
        signed(claims(iss=None)),
        signed(claims(iss=[PUBLIC])),
        signed(claims(iss=f"{PUBLIC}/")),
    ],
)
def test_a_token_is_looked_at_with_the_keys_of_the_issuer_that_it_names(token: bytes) -> None:
    both = _both()
    try:
        accepted = both.accept(token, HERE)
    except TokenRefused:
        return

    assert accepted.principal.issuer == ISSUER, "only what the issuer signed may pass, as its own"
    assert not any(name.startswith("family:") for name in accepted.names)


def test_claims_that_only_we_may_make_count_for_nothing_in_a_token_of_another() -> None:
    token = signed(claims(idp="local", idp_sub="root", tenant="other", fam="f-1", mode="attended"))

    principal = _both().accept(token, HERE).principal

    assert (principal.identity, principal.tenant) == (f"{ISSUER}|alice", "acme")
    assert principal.mode == "unknown"


def test_both_are_remembered_until_the_keys_of_either_change() -> None:
    own = AccessTokens(OWN, lambda: NOW)
    own.swap(KeySet.import_key_set(public(OWN_KEY)))  # type: ignore[arg-type]
    both = Verifiers(own, verifying())
    ours, theirs = _minted(), signed()
    assert (both.remembers(ours), both.remembers(theirs)) == (False, False)
    both.accept(ours, HERE)
    both.accept(theirs, HERE)
    assert (both.remembers(ours), both.remembers(theirs)) == (True, True)

    own.swap(KeySet.import_key_set(public(OWN_KEY)))  # type: ignore[arg-type]

    assert (both.remembers(ours), both.remembers(theirs)) == (False, True)


def test_it_is_ready_when_the_keys_of_all_are_there() -> None:
    assert _both().ready
    assert not Verifiers(AccessTokens(OWN), verifying()).ready
    assert _both().issuers == (PUBLIC, ISSUER)
