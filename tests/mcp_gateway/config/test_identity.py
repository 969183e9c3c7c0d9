import pytest

from mcp_gateway.config import ConfigError, load, validated


@pytest.mark.parametrize(
    "issuer", ["https://login.example.com/x/", "http://127.0.0.1:9", "http://[::1]"]
)
def test_an_issuer_is_https_or_of_this_machine(issuer: str) -> None:
    settings = load(None, {"GATEWAY_IDENTITY__ISSUER": issuer, "GATEWAY_IDENTITY__AUDIENCE": "x"})

    assert settings.identity.issuer == issuer


ISSUER = {"issuer": "https://login.example.com", "audience": "x"}
CLIENT = {"client": "gateway", "client_secret": {"env": "X"}}


def test_the_gateway_is_a_client_of_an_issuer_and_by_name() -> None:
    with pytest.raises(ConfigError, match="at an issuer, which is not named"):
        validated({"identity": CLIENT})
    with pytest.raises(ConfigError, match="of a client, which is not named"):
        validated({"identity": {**ISSUER, "client_secret": {"env": "X"}}})
    assert validated({"identity": {**ISSUER, **CLIENT}}).identity.client == "gateway"


def test_tenants_are_mapped_from_a_claim_that_is_named() -> None:
    with pytest.raises(ConfigError, match="tenant_claim, which is not named"):
        validated({"identity": {"tenant_map": {"a": "b"}}})


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"role_map": {"staff": ["two roles"]}}, "identity.role_map.staff.0"),
        ({"role_map": {"staff": "user"}}, "identity.role_map.staff"),
        ({"scopes": ['a"']}, "identity.scopes.0"),
        ({"introspection": "http://login.example.com/"}, "identity.introspection"),
        ({"introspection": "https://login.example.com/"}, "as a client, which is not named"),
        ({"backchannel": True}, "identity.backchannel"),
        ({"backchannel": [""]}, "identity.backchannel.0"),
        ({"issuer": "", "backchannel": ["runtime"]}, "log-outs at an issuer, which is not named"),
    ],
)
def test_what_is_wrong_with_claims_is_said_with_its_place(
    keys: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        validated({"identity": {**ISSUER, **keys}})
