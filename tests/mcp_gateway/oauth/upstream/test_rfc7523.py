"""The assertion is for one issuer, once, and short."""

import time

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from mcp_gateway.oauth.upstream.rfc7523 import assertion

AUDIENCE = "https://as.example.com"


@pytest.mark.requirement("upstream:assertions-are-for-one-issuer")
@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (ECKey.generate_key("P-256"), "ES256"),
        (ECKey.generate_key("P-384"), "ES384"),
        (ECKey.generate_key("P-521"), "ES512"),
        (RSAKey.generate_key(2048), "RS256"),
    ],
)
def test_an_assertion_names_one_audience_and_ends_soon(key: ECKey | RSAKey, algorithm: str) -> None:
    pem = key.as_pem(private=True).decode()

    made = [jwt.decode(assertion("us", AUDIENCE, pem), key, [algorithm]) for _ in range(2)]

    claims = made[0].claims
    assert (claims["iss"], claims["sub"], claims["aud"]) == ("us", "us", AUDIENCE)
    assert 0 < claims["exp"] - time.time() <= 60
    assert claims["jti"] != made[1].claims["jti"]


@pytest.mark.parametrize(
    "pem",
    [
        "",
        "no key",
        ECKey.generate_key("P-256").as_pem(private=False).decode(),
        ECKey.generate_key("secp256k1").as_pem(private=True).decode(),
    ],
)
def test_what_cannot_sign_is_refused_without_being_repeated(pem: str) -> None:
    with pytest.raises(ValueError, match="no private key") as told:
        assertion("us", AUDIENCE, pem)
    assert not pem or pem not in str(told.value)
