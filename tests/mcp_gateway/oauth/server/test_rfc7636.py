"""PKCE by S256, as the examples of the RFC have it, and nothing weaker."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.oauth.server.rfc6749 import OAuthError
from mcp_gateway.oauth.server.rfc7636 import challenge_of, check_challenge, check_verifier

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
VERIFIERS = st.from_regex(r"[A-Za-z0-9._~-]{43,128}", fullmatch=True)


def test_the_example_of_the_rfc_holds() -> None:
    assert challenge_of(VERIFIER) == CHALLENGE
    check_challenge(CHALLENGE, "S256")
    check_verifier(VERIFIER, CHALLENGE)


@given(VERIFIERS, VERIFIERS)
def test_a_verifier_opens_its_own_challenge_alone(own: str, other: str) -> None:
    check_challenge(challenge_of(own), "S256")
    check_verifier(own, challenge_of(own))
    if own != other:
        with pytest.raises(OAuthError):
            check_verifier(other, challenge_of(own))


@pytest.mark.requirement("attack:d26")
@pytest.mark.parametrize(
    ("challenge", "method"),
    [
        (CHALLENGE, ""),
        (CHALLENGE, "plain"),
        (VERIFIER, "plain"),
        (CHALLENGE, "s256"),
        (CHALLENGE, "S512"),
        ("", "S256"),
        (CHALLENGE[:-1], "S256"),
        (CHALLENGE + "A", "S256"),
        (CHALLENGE[:-1] + "=", "S256"),
        (CHALLENGE + "\n", "S256"),
    ],
)
def test_no_challenge_a_plain_one_and_one_of_another_length_are_refused(
    challenge: str, method: str
) -> None:
    with pytest.raises(OAuthError) as error:
        check_challenge(challenge, method)
    assert error.value.code == "invalid_request"


@pytest.mark.requirement("attack:d26")
@pytest.mark.parametrize(
    "verifier",
    ["", "v" * 42, "v" * 129, CHALLENGE, VERIFIER[:-1] + "K", VERIFIER + "\n", "é" * 43],
)
def test_a_verifier_that_is_too_short_too_long_or_another_is_refused(verifier: str) -> None:
    for challenge in (CHALLENGE, challenge_of("v" * 42), challenge_of("v" * 129)):
        with pytest.raises(OAuthError) as error:
            check_verifier(verifier, challenge)
        assert error.value.code == "invalid_grant"
