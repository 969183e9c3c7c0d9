import pytest

from mcp_gateway.config import Settings
from mcp_gateway.oauth.server.rfc6749 import OAuthError, Parameters
from mcp_gateway.services.authorization.client import Client
from mcp_gateway.services.authorization.workloads import workload

SETTINGS = Settings.model_validate(
    {"gateway": {"url": "https://gateway.example.com", "tenant": "acme"}}
)
ROBOT = Client(
    "ci",
    "registered",
    "ci",
    "client_secret_basic",
    frozenset({"client_credentials"}),
    scopes=frozenset({"mcp", "docs:read"}),
    roles=frozenset({"ci"}),
    mode="unattended",
)


def form(text: str = "") -> Parameters:
    return Parameters.parse(text)


def test_a_program_acts_for_itself_with_what_its_section_says() -> None:
    grant = workload(ROBOT, form(), SETTINGS)
    who = grant.principal

    assert (who.issuer, who.subject, who.tenant, who.client) == ("client", "ci", "acme", "ci")
    assert who.roles == {"ci"}
    assert who.scopes == {"mcp", "docs:read"}
    assert who.mode == "unattended"
    assert grant.resource == "https://gateway.example.com/mcp"
    assert (grant.family, grant.since, grant.recorded) == ("", 0, True)


def test_a_program_may_ask_for_less() -> None:
    assert workload(ROBOT, form("scope=docs%3Aread"), SETTINGS).principal.scopes == {"docs:read"}


@pytest.mark.parametrize("scope", ["admin", "mcp+admin", "offline_access"])
def test_and_never_for_more(scope: str) -> None:
    with pytest.raises(OAuthError) as refused:
        workload(ROBOT, form(f"scope={scope}"), SETTINGS)

    assert refused.value.code == "invalid_scope"


@pytest.mark.parametrize(
    "resource",
    ["https://evil.example/mcp", "https://gateway.example.com", "https://gateway.example.com/mcp/"],
)
def test_a_token_is_for_an_endpoint_of_this_gateway(resource: str) -> None:
    with pytest.raises(OAuthError) as refused:
        workload(ROBOT, form(f"resource={resource}"), SETTINGS)

    assert refused.value.code == "invalid_target"
