import pytest

from mcp_gateway.config import AuthorizationSection, ConfigError, validated

LOGIN = {"issuer": "https://login.example.com", "client": "gateway"}


def section(**keys: object) -> AuthorizationSection:
    return validated({"authorization": keys}).authorization


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"access_token": 319}, "authorization.access_token"),
        ({"access_token": float("inf")}, "authorization.access_token"),
        ({"access_token": float("nan")}, "authorization.access_token"),
        ({"refresh_token": 0}, "authorization.refresh_token"),
        ({"refresh_token": 9_000_000}, "refresh_family is at least refresh_token"),
        ({"refresh_grace": 61}, "authorization.refresh_grace"),
        ({"code": 601}, "authorization.code"),
        ({"documents": "trust"}, "authorization.documents"),
        ({"private_documents": ["10.0.0.1/8"]}, "private_documents.0: .*host bits"),
        ({"registration_each": "often"}, "registration_each: .*is no limit"),
        ({"registration_each": "0/minute"}, "registration_each: .*is no limit"),
        ({"scopes": ["a b"]}, "authorization.scopes.0"),
        ({"clients": {"a b": {"jwks": "x"}}}, "authorization.clients"),
        ({"clients": {"ci": {"jwks": "x", "secret": {"env": "X"}}}}, "either a secret or a jwks"),
        ({"clients": {"ci": {"jwks": "x", "mode": "Un attended"}}}, "clients.ci.mode"),
        ({"login": {**LOGIN, "issuer": "http://login.example.com"}}, "login.issuer: .*https"),
        ({"login": {**LOGIN, "issuer": ""}}, "login.issuer"),
        ({"login": {**LOGIN, "client": ""}}, "login.client"),
        ({"login": {**LOGIN, "scopes": ["profile"]}}, "scopes has openid"),
        ({"login": {**LOGIN, "default_roles": ["two roles"]}}, "default_roles.0"),
        ({"assertions": {"okta": {}}}, "assertions.okta.issuer"),
        ({"assertions": {"okta": {"issuer": "http://okta.example"}}}, "okta.issuer: .*https"),
        (
            {"assertions": {"okta": {"issuer": "https://a.example", "algorithms": ["HS256"]}}},
            "algorithms.0: .*HS256 cannot be allowed",
        ),
        (
            {"assertions": {"okta": {"issuer": "https://a.example", "algorithms": []}}},
            "okta.algorithms",
        ),
        (
            {"assertions": {name: {"issuer": "https://a.example"} for name in ("a", "b")}},
            "two sections have the same issuer",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(keys: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        section(**keys)


@pytest.mark.parametrize(
    "scheme",
    ["https", "http", "javascript", "data", "file", "cursor:", "Cursor", "1x", "", "a b", "a\n"],
)
def test_no_scheme_that_a_browser_knows_is_a_programs_own(scheme: str) -> None:
    with pytest.raises(ConfigError, match=r"private_schemes\.0: .*one program's own"):
        section(private_schemes=[scheme])


def test_a_section_that_is_whole_is_taken() -> None:
    found = section(
        private_schemes=["cursor", "com.example.app"],
        login=LOGIN,
        clients={"ci": {"jwks": "ci.json", "roles": ["user"]}},
        assertions={"okta": {"issuer": "https://okta.example.com", "clients": {"x": "ci"}}},
    )

    assert found.login
    assert found.login.default_roles == ["user"]
    assert found.clients["ci"].mode == "unattended"
