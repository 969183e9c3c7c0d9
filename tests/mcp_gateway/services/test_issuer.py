from joserfc.jwk import KeySet, RSAKey

from mcp_gateway.config import Identity
from mcp_gateway.services.issuer import Issuer
from mcp_gateway.wire.http import HttpClient, Network

KEYS = KeySet([RSAKey.generate_key(2048, {"kid": "k-1"})])
HTTP = HttpClient(Network())
LOGIN = Identity(issuer="https://login.example.com", audience="gateway")


def test_keys_that_are_fetched_reach_whatever_verifies_tokens_now() -> None:
    issuer = Issuer(LOGIN, HTTP)
    first = issuer.expecting(LOGIN, "acme")
    before = first.ready
    issuer._take(KEYS)
    second = issuer.expecting(LOGIN.model_copy(update={"roles_claim": "groups"}), "acme")

    assert (before, first.ready, second.ready) == (False, True, True)


def test_keys_that_come_before_anything_is_expected_are_kept() -> None:
    issuer = Issuer(LOGIN, HTTP)
    issuer._take(KEYS)

    assert issuer.expecting(LOGIN, "acme").ready


def test_an_issuer_serves_configurations_that_mean_it() -> None:
    issuer = Issuer(LOGIN, HTTP)

    assert issuer.serves(LOGIN.model_copy(update={"audience": "other", "roles_claim": "groups"}))
    assert not issuer.serves(LOGIN.model_copy(update={"issuer": "https://other.example.com"}))
    assert not issuer.serves(LOGIN.model_copy(update={"jwks": "https://login.example.com/keys"}))
