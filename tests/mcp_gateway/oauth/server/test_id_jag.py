"""Identity assertions as they come in: of one provider, for this server, about one resource."""

import time
from typing import Any

import pytest
from joserfc import jwt

from mcp_gateway.oauth.rfc7517 import key_set
from mcp_gateway.oauth.server.id_jag import Provider, read
from mcp_gateway.oauth.server.rfc7523 import AssertionRefused
from tests.support.tokens import EC, public

NOW = int(time.time())
OURS, IDP = "https://gateway.example.com", "https://idp.example.com"
PROVIDER = Provider(IDP, ["ES256"])
KEYS = key_set(public(EC))


def assertion(typ: str = "oauth-id-jag+jwt", **changes: Any) -> str:
    good = {
        "iss": IDP,
        "sub": "ada",
        "aud": OURS,
        "jti": "j-1",
        "iat": NOW,
        "exp": NOW + 60,
        "client_id": "cowork",
        "resource": f"{OURS}/mcp",
        "scope": "mcp tickets:read",
    }
    claims = {name: value for name, value in {**good, **changes}.items() if value is not None}
    return jwt.encode({"alg": "ES256", "typ": typ, "kid": "ec"}, claims, EC)


@pytest.mark.parametrize("typ", ["oauth-id-jag+jwt", "application/oauth-id-jag+jwt"])
def test_an_assertion_says_who_may_use_which_client_for_what(typ: str) -> None:
    held = read(assertion(typ), KEYS, PROVIDER, OURS, NOW)

    assert (held.subject, held.client, held.resource) == ("ada", "cowork", f"{OURS}/mcp")
    assert held.scopes == {"mcp", "tickets:read"}
    assert (held.id, held.expires) == ("j-1", NOW + 60)


def test_an_assertion_need_not_name_scopes() -> None:
    assert read(assertion(scope=None), KEYS, PROVIDER, OURS, NOW).scopes == frozenset()


@pytest.mark.requirement("attack:d12")
@pytest.mark.parametrize("typ", ["JWT", "at+jwt", "id-jag", "logout+jwt", ""])
def test_only_an_identity_assertion_is_one(typ: str) -> None:
    with pytest.raises(AssertionRefused, match="type"):
        read(assertion(typ), KEYS, PROVIDER, OURS, NOW)


@pytest.mark.requirement("attack:d12")
@pytest.mark.parametrize(
    "changes",
    [
        {"aud": f"{OURS}/mcp"},
        {"aud": [OURS, IDP]},
        {"iss": "https://evil.example.com"},
        {"client_id": None},
        {"client_id": ""},
        {"client_id": ["cowork"]},
        {"resource": None},
        {"resource": ""},
        {"resource": [f"{OURS}/mcp", "https://other.example.com/mcp"]},
        {"scope": ["mcp"]},
        {"scope": 'mcp "quoted"'},
        {"jti": None},
    ],
)
def test_an_assertion_for_something_else_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(AssertionRefused):
        read(assertion(**changes), KEYS, PROVIDER, OURS, NOW)
