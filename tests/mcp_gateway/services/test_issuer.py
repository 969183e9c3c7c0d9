import time

import pytest
from joserfc.jwk import KeySet, RSAKey

from mcp_gateway.config import Identity
from mcp_gateway.edge.wellknown import is_ready
from mcp_gateway.oauth.claims import TokenRefused
from mcp_gateway.services.issuer import Issuer, unheard
from mcp_gateway.wire.http import HttpClient, Network
from tests.support.tokens import AUDIENCE, ISSUER, RSA, claims, public, signed

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


@pytest.mark.requirement("identity:groups-are-mapped")
def test_groups_and_tenants_are_what_the_configuration_makes_of_them() -> None:
    settings = {
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "roles_claim": "realm.groups",
        "role_map": {"Ops": ["admin", "user"]},
        "tenant_claim": "tid",
        "tenant_map": {"9f-1": "acme"},
    }
    identity = Identity.model_validate(settings)
    tokens = Issuer(identity, HTTP).expecting(identity, "default")
    tokens.swap(KeySet.import_key_set(public(RSA)))  # type: ignore[arg-type]
    now = int(time.time())

    def of(tenant: str) -> bytes:
        said = {"realm": {"groups": ["Ops", "Domain Users"]}, "tid": tenant}
        return signed(claims(iat=now, exp=now + 60, **said))

    principal = tokens.accept(of("9f-1"), AUDIENCE).principal

    assert principal.tenant == "acme"
    assert principal.roles == {"admin", "user"}
    with pytest.raises(TokenRefused):
        tokens.accept(of("9f-2"), AUDIENCE)


@pytest.mark.requirement("revocation:unheard-issuers-are-named")
def test_an_issuer_that_tells_nothing_of_revocations_is_named_with_how_long_that_lasts() -> None:
    said = unheard(LOGIN)

    assert list(said) == ["issuer https://login.example.com"]
    assert "60 minutes" in said["issuer https://login.example.com"]
    assert unheard(Identity()) == {}
    asked = {"introspection": "https://login.example.com/introspect", "client": "gateway"}
    assert unheard(LOGIN.model_copy(update=asked)) == {}
    assert unheard(LOGIN.model_copy(update={"backchannel": ["runtime"]})) == {}
    assert is_ready(said)
