import pytest

from mcp_gateway.config import ConfigError, load, validated


@pytest.mark.parametrize(
    "issuer", ["https://login.example.com/x/", "http://127.0.0.1:9", "http://[::1]"]
)
def test_an_issuer_is_https_or_of_this_machine(issuer: str) -> None:
    settings = load(None, {"GATEWAY_IDENTITY__ISSUER": issuer, "GATEWAY_IDENTITY__AUDIENCE": "x"})

    assert settings.identity.issuer == issuer


ISSUER = {"issuer": "https://login.example.com", "audience": "x"}
ASKING = {
    "introspection": "https://login.example.com/introspect",
    "introspection_client": "gateway",
    "introspection_secret": {"env": "X"},
}


@pytest.mark.parametrize("missing", ASKING)
def test_introspection_is_configured_whole(missing: str) -> None:
    parts = {key: value for key, value in ASKING.items() if key != missing}

    with pytest.raises(ConfigError, match="introspection goes with"):
        validated({"identity": {**ISSUER, **parts}})
    assert validated({"identity": {**ISSUER, **ASKING}}).identity.introspection


@pytest.mark.parametrize("keys", [ASKING, {"backchannel": True}])
def test_revocation_is_heard_of_an_issuer_only(keys: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="of an issuer, which is not named"):
        validated({"identity": keys})


def test_tenants_are_mapped_from_a_claim_that_is_named() -> None:
    with pytest.raises(ConfigError, match="tenant_claim, which is not named"):
        validated({"identity": {"tenant_map": {"a": "b"}}})


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"role_map": {"staff": ["two roles"]}}, "identity.role_map.staff.0"),
        ({"role_map": {"staff": "user"}}, "identity.role_map.staff"),
        ({"scopes": ['a"']}, "identity.scopes.0"),
        ({"introspection": "http://login.example.com/"}, "identity.introspection: .*https"),
    ],
)
def test_what_is_wrong_with_claims_is_said_with_its_place(
    keys: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        validated({"identity": {**ISSUER, **keys}})


def test_a_log_out_feed_that_nobody_would_hear_is_refused_in_so_many_words() -> None:
    told = {"issuer": "https://login.example.com", "audience": "gateway", "backchannel": True}

    with pytest.raises(ConfigError, match="not taken in this version"):
        validated({"identity": told})
