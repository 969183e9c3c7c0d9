import pytest
from pydantic import ValidationError

from mcp_gateway.config import Server

DELEGATED = {"kind": "delegated"}
SECRET = {"env": "X"}
STATIC = {"kind": "static", "secret": SECRET}


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"grant": {"secret": SECRET}}, "a grant of kind none has no secret"),
        ({"grant": {"client": "x", "scopes": ["a"]}}, "kind none has no scopes, client"),
        ({"discovery": "first_grant"}, "grants that each caller has of their own"),
        ({"grant": STATIC, "discovery": "first_grant"}, "that each caller has of their own"),
        ({"grant": STATIC, "discovery_grant": STATIC}, "that each caller has of their own"),
        (
            {"grant": DELEGATED, "discovery": "first_grant", "discovery_grant": STATIC},
            "discovery_grant is shown by discovery = 'service' only",
        ),
        ({"discovery": "always"}, "discovery"),
    ],
)
def test_a_setting_that_would_do_nothing_is_refused(keys: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Server.model_validate({"connector": "mcp_http", **keys})


@pytest.mark.parametrize(
    "keys",
    [
        {"connector": "mcp_http", "grant": DELEGATED, "discovery_grant": STATIC},
        {"connector": "mcp_http", "grant": DELEGATED, "discovery": "first_grant"},
        {"connector": "mcp_http", "discovery": "pinned"},
    ],
)
def test_how_lists_become_known_goes_with_grants_of_their_own(
    keys: dict[str, object],
) -> None:
    assert Server.model_validate(keys).own() == {}


def test_what_is_a_connectors_own_is_handed_to_it() -> None:
    server = Server.model_validate({"connector": "mcp_http", "url": "x", "discovery": "pinned"})

    assert server.own() == {"url": "x"}
