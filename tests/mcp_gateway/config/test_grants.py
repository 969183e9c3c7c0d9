import pytest
from pydantic import ValidationError

from mcp_gateway.config import DiscoveryGrant, GrantSection

SECRET = {"env": "X"}
CLIENT = {"client": "gateway", "client_secret": SECRET}


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"kind": "static"}, "a static grant has a secret, or per_user"),
        ({"kind": "static", "secret": SECRET, "per_user": True}, "has a secret, or per_user"),
        ({"kind": "static", "secret": SECRET, "client": "x"}, "kind static has no client"),
        ({"kind": "service"}, "has a client, and its client_secret or client_key"),
        ({"kind": "service", "client": "x"}, "and its client_secret or client_key"),
        ({"kind": "service", "client_secret": SECRET}, "has a client, and its"),
        ({"kind": "service", **CLIENT, "secret": SECRET}, "kind service has no secret"),
        ({"kind": "service", **CLIENT, "client_key": SECRET}, "with client_secret or with"),
        ({"kind": "service", **CLIENT, "auth_method": "private_key_jwt"}, "needs client_key"),
        ({"kind": "service", **CLIENT, "auth_method": "none"}, "is for a client without"),
        ({"kind": "service", **CLIENT, "auth_method": "tls_client_auth"}, "auth_method"),
        ({"kind": "token_exchange", "client": "x"}, "and its client_secret or client_key"),
        ({"kind": "token_exchange", **CLIENT, "downscope": True}, "has no downscope"),
        ({"kind": "token_exchange", **CLIENT, "subject_token": "cookie"}, "subject_token"),
        ({"kind": "id_jag", **CLIENT, "actor": True}, "kind id_jag has no actor"),
        ({"kind": "id_jag", **CLIENT, "provider": "http://idp.example/"}, "provider"),
        ({"kind": "delegated", "secret": SECRET}, "kind delegated has no secret"),
        ({"kind": "delegated", "client_secret": SECRET}, "of a client, which is not named"),
        (
            {"kind": "delegated", "client": "x", "client_metadata": "https://g.example/c"},
            "named by client, or by the client_metadata",
        ),
        (
            {"kind": "delegated", "client_secret": SECRET, "client_metadata": "https://g.example/"},
            "has no client_secret",
        ),
        ({"kind": "delegated", "token": "http://as.example/token"}, "an https URL"),
        ({"kind": "delegated", "authorize": "javascript:alert(1)"}, "authorize"),
        ({"kind": "delegated", "issuer": "https://as.example/?x"}, "without query"),
        ({"kind": "delegated", "resource": "--"}, "resource"),
        ({"kind": "delegated", "scopes": ["a b"]}, "scopes.0"),
        ({"kind": "delegated", "tools": {"tool/a/*": ["a b"]}}, "tools"),
        ({"kind": "passthrough"}, "kind"),
    ],
)
def test_a_grant_has_what_its_kind_needs_and_nothing_else(
    keys: dict[str, object], said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        GrantSection.model_validate(keys)


@pytest.mark.parametrize(
    ("keys", "personal"),
    [
        ({}, False),
        ({"kind": "static", "secret": SECRET}, False),
        ({"kind": "static", "per_user": True}, True),
        ({"kind": "service", **CLIENT, "scopes": ["read"]}, False),
        ({"kind": "service", "client": "x", "client_key": SECRET}, False),
        ({"kind": "delegated"}, True),
        ({"kind": "delegated", "client": "x", "auth_method": "none", "resource": "-"}, True),
        ({"kind": "delegated", "client_metadata": "http://127.0.0.1:1/client.json"}, True),
        ({"kind": "token_exchange", **CLIENT, "actor": True, "audience": "x"}, True),
        ({"kind": "id_jag", **CLIENT, "provider": "https://idp.example/token"}, True),
    ],
)
def test_a_grant_is_of_each_caller_or_of_all(keys: dict[str, object], *, personal: bool) -> None:
    assert GrantSection.model_validate(keys).personal is personal


@pytest.mark.parametrize(
    "keys",
    [
        {"kind": "delegated"},
        {"kind": "static", "per_user": True},
        {"kind": "id_jag", **CLIENT},
        {"kind": "none", "secret": SECRET},
    ],
)
def test_discovery_is_shown_nobodys_own_credential(keys: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=r"discovery_grant is for nobody|has no secret"):
        DiscoveryGrant.model_validate(keys)


def test_a_grant_shows_no_value_of_a_secret() -> None:
    with pytest.raises(ValidationError) as refused:
        GrantSection.model_validate({"kind": "service", "client": "x", "client_secret": "hunter2"})

    assert "hunter2" not in str(refused.value.errors(include_input=False))
