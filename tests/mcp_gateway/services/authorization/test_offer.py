import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

from mcp_gateway.config import Settings
from mcp_gateway.core.principal import Principal
from mcp_gateway.oauth.ports import Person
from mcp_gateway.oauth.server.rfc6749 import OAuthError
from mcp_gateway.services.authorization import offer

SERVER = {"connector": "mcp_http", "url": "https://docs.example/mcp", "requires": ["docs:read"]}


def settings(**authorization: object) -> Settings:
    return Settings.model_validate(
        {
            "gateway": {"url": "https://gateway.example.com"},
            "servers": {"docs": SERVER},
            "authorization": {"enabled": True, **authorization},
        }
    )


def test_a_token_is_for_all_servers_or_for_one() -> None:
    assert offer.whole(settings()) == "https://gateway.example.com/mcp"
    assert offer.endpoints(settings()) == {
        "https://gateway.example.com/mcp",
        "https://gateway.example.com/servers/docs/mcp",
    }


def test_scopes_are_those_of_the_section_and_those_that_servers_require() -> None:
    assert offer.scopes(settings()) == {"mcp", "docs:read", "offline_access"}


def test_of_what_is_asked_for_what_there_is_is_granted() -> None:
    assert offer.granted(frozenset({"docs:read", "openid"}), settings()) == {"docs:read"}
    assert offer.granted(frozenset(), settings()) == {"mcp"}
    assert offer.granted(frozenset({"offline_access"}), settings()) == {"mcp", "offline_access"}
    with pytest.raises(OAuthError) as refused:
        offer.granted(frozenset({"openid"}), settings())
    assert refused.value.code == "invalid_scope"


@pytest.mark.parametrize("registration", [True, False])
def test_the_metadata_is_sound_and_says_what_is_on(registration: bool) -> None:  # noqa: FBT001
    found = dict(offer.metadata(settings(registration=registration)))

    AuthorizationServerMetadata(found).validate()
    assert found["issuer"] == "https://gateway.example.com"
    assert ("registration_endpoint" in found) == registration
    assert found["client_id_metadata_document_supported"] is True
    assert "none" in found["token_endpoint_auth_methods_supported"]
    assert "authorization_grant_profiles_supported" not in found


def test_identity_assertions_are_named_where_a_provider_is_configured() -> None:
    found = offer.metadata(settings(assertions={"idp": {"issuer": "https://idp.example.com"}}))

    assert found["authorization_grant_profiles_supported"] == [
        "urn:ietf:params:oauth:grant-profile:id-jag"
    ]
    assert "urn:ietf:params:oauth:grant-type:jwt-bearer" in found["grant_types_supported"]


def logged_in(by: str, *scopes: str) -> Person:
    return Person(by, Principal("local", "ada", "acme", scopes=frozenset(scopes)))


@pytest.mark.requirement("attack:d32")
def test_a_key_gains_nothing_that_opens_something_by_logging_in() -> None:
    section = settings(scopes=["mcp", "docs:read"])
    asked = frozenset({"mcp", "docs:read", "offline_access"})

    assert offer.allowed(asked, logged_in("key:1"), section) == {"mcp", "offline_access"}
    assert offer.allowed(asked, logged_in("key:1", "docs:read"), section) == asked
    assert offer.allowed(asked, logged_in("person:1"), section) == asked
