"""The verifier belongs to one state, and nobody derives it without the secret."""

import pytest

from mcp_gateway.oauth.upstream.rfc7636 import challenge, verifier


def test_the_challenge_is_that_of_the_rfc() -> None:
    """Appendix B."""
    assert (
        challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
        == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    )


@pytest.mark.requirement("upstream:verifiers-are-kept-nowhere")
def test_a_verifier_is_of_one_state_and_one_secret() -> None:
    first = verifier(b"k" * 32, "state")

    assert first == verifier(b"k" * 32, "state")
    assert len({first, verifier(b"k" * 32, "other"), verifier(b"l" * 32, "state")}) == 3
    assert 43 <= len(first) <= 128
