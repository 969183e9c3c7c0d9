from typing import Any

import pytest

from connectors.entries import names
from mcp_gateway.config import ConfigError, validated

CLIENT = {"client": "c", "client_secret": {"env": "X"}}
NOW = {"connector": "catalog:servicenow", "grant": CLIENT}
FILLED = {
    "google": {"product": "bigquery"},
    "servicenow": {"instance": "acme"},
    "snowflake": {"account": "a.example.com", "database": "D", "schema": "S", "server": "N"},
}


def server(**section: Any) -> Any:
    return validated({"servers": {"x": section}}).servers["x"]


def refusal(**section: Any) -> str:
    with pytest.raises(ConfigError) as refused:
        server(**section)
    return str(refused.value)


@pytest.mark.requirement("catalogue:fills-a-section")
def test_a_section_of_one_line_is_a_whole_server() -> None:
    found = server(connector="catalog:notion")

    assert (found.connector, found.entry, found.guard) == ("mcp_http", "notion", "standard")
    assert found.own() == {"url": "https://mcp.notion.com/mcp"}
    assert found.grant.kind == "delegated"
    assert found.governance.labels == {"operator:notion"}


@pytest.mark.requirement("catalogue:fills-a-section")
@pytest.mark.parametrize("name", names())
def test_every_entry_makes_a_server_that_a_file_can_say_again(name: str) -> None:
    section = {
        "connector": f"catalog:{name}",
        "grant": CLIENT,
        "variables": FILLED.get(name, {}),
    }
    settings = validated({"servers": {"x": section}})

    assert settings.servers["x"].entry == name
    assert "{" not in settings.servers["x"].own()["url"]
    assert validated(settings.model_dump()) == settings


@pytest.mark.requirement("catalogue:fills-a-section")
def test_each_key_of_the_section_goes_before_the_entrys() -> None:
    found = server(
        connector="catalog:slack",
        url="https://slack.example.com/mcp",
        guard="strict",
        grant={**CLIENT, "scopes": ["search:read"]},
        governance={"region": "EU", "data_classes": ["messages"]},
    )

    assert found.own() == {"url": "https://slack.example.com/mcp"}
    assert (found.guard, found.grant.scopes) == ("strict", ["search:read"])
    assert found.governance.labels == {"operator:slack", "region:eu", "data:messages"}


def test_a_grant_of_another_kind_is_the_sections_alone() -> None:
    found = server(connector="catalog:slack", grant={"kind": "static", "per_user": True})

    assert (found.grant.kind, found.grant.scopes) == ("static", [])


def test_variables_fill_the_url_and_the_endpoints() -> None:
    found = server(**NOW, variables={"instance": "acme"})

    url = "https://acme.service-now.com"
    assert found.own()["url"] == f"{url}/sncapps/mcp-server/mcp/sn_mcp_server_default"
    assert found.grant.authorize == f"{url}/oauth_auth.do"
    assert found.grant.token == f"{url}/oauth_token.do"


def test_a_section_with_its_own_url_needs_no_variables() -> None:
    found = server(**NOW, url="https://now.example.com/mcp")

    assert (found.own()["url"], found.grant.token) == ("https://now.example.com/mcp", "")


@pytest.mark.requirement("catalogue:faults-in-words")
@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"connector": "catalog:githb"}, "no entry 'githb'; did you mean catalog:github?"),
        (
            {"connector": "catalog:workday"},
            "the catalogue has no entry 'workday'; see `servers catalogue`",
        ),
        ({"connector": "catalog:"}, "see `servers catalogue`"),
        (NOW, "needs the variable instance: The instance: what stands before"),
        ({**NOW, "variables": {"instanze": "a"}}, "no variable 'instanze'; it has: instance,"),
        ({**NOW, "variables": {"instance": 7}}, "a table of names and texts"),
        ({**NOW, "variables": ["a"]}, "a table of names and texts"),
        ({**NOW, "url": "https://a.b/", "variables": {"instance": "a"}}, "the section has its own"),
        ({"connector": "catalog:slack"}, "name it in grant.client"),
        ({"connector": "catalog:slack", "grant": 7}, "grant"),
        ({"connector": "mcp_http", "entry": "githb"}, "did you mean catalog:github?"),
        ({"connector": "catalog:notion", "governance": 7}, "governance"),
    ],
)
def test_what_cannot_be_filled_says_what_to_do(section: dict[str, Any], said: str) -> None:
    told = refusal(**section)

    assert said in told
    assert "servers.x" in told


@pytest.mark.requirement("catalogue:variables-stay-in-place")
@pytest.mark.parametrize("value", ["evil.example/x", "evil.example#", "a@evil.example", "a:8443"])
def test_no_variable_leads_to_another_host_and_none_is_repeated(value: str) -> None:
    told = refusal(**NOW, variables={"instance": value})

    assert "the variable instance is letters, digits and inner hyphens" in told
    assert value not in told
