"""What is declared at an endpoint, by what its upstreams said of themselves."""

from collections.abc import Mapping
from typing import Any

import pytest

from mcp_gateway.core.asking import NOT_OFFERED, Offered
from mcp_gateway.core.snapshot import GATEWAY, Upstream
from mcp_gateway.services import offers
from mcp_gateway.wire import jsonrpc, modern
from tests.support.calls import call, snapshot
from tests.support.fakes import FakeConnector, FakePolicy

ALL = {modern.UI: {"a": 1}, modern.TASKS: {}, modern.SKILLS: {"directoryRead": True}}


def offering(era: str, **capabilities: Any) -> Offered:
    return Offered(era, {name: jsonrpc.encode(value) for name, value in capabilities.items()})


def declared(
    endpoint: str = "", *, newest: bool = True, hidden: str = "", **servers: Offered
) -> Mapping[str, Any]:
    """What is declared where these servers stand beside the gateway itself."""
    connector = FakeConnector()
    upstreams = {name: Upstream(name, connector, offered=o) for name, o in servers.items()}
    world = snapshot(
        policy=FakePolicy(prospects={f"catalog/{hidden}/tools/list": "deny"}),
        upstreams={GATEWAY: Upstream(GATEWAY, connector), **upstreams},
    )
    asked = call("server/discover", {}, snapshot=world, endpoint=endpoint)
    return offers.capabilities(asked, newest=newest)


@pytest.mark.requirement("capabilities:offered-and-relayed")
def test_at_one_server_it_is_what_that_one_offered_and_is_relayed() -> None:
    desk = offering("modern", tools={}, logging={}, experimental={"x": {}}, extensions=ALL)

    assert declared("desk", desk=desk) == {
        "tools": offers.ALWAYS["tools"],
        "logging": {},
        "extensions": ALL,
    }


@pytest.mark.requirement("capabilities:offered-and-relayed")
def test_between_eras_nothing_is_declared_that_could_not_pass() -> None:
    modern_one = offering("modern", tools={}, logging={}, extensions=ALL)
    legacy_one = offering("legacy", tools={}, tasks={"list": {}}, extensions=ALL)
    expected = {"tools": offers.ALWAYS["tools"], "extensions": {modern.UI: {"a": 1}}}

    assert declared("desk", newest=False, desk=modern_one) == expected
    assert declared("desk", newest=False, desk=legacy_one) == expected
    assert declared("desk", desk=legacy_one) == expected


@pytest.mark.requirement("capabilities:offered-and-relayed")
def test_where_several_are_met_it_is_what_any_of_them_offers_and_can_be_found() -> None:
    desk = offering("modern", tools={}, extensions={modern.TASKS: {}, modern.SKILLS: {}})
    shop = offering("modern", logging={}, extensions={modern.UI: {}, "vendor/own": {}})

    assert declared(desk=desk, shop=shop) == {
        **offers.ALWAYS,
        "logging": {},
        "extensions": {modern.TASKS: {}, modern.UI: {}},
    }


@pytest.mark.requirement("capabilities:offered-and-relayed")
def test_nothing_is_declared_for_a_server_that_the_caller_may_not_know() -> None:
    desk = offering("modern", logging={}, extensions=ALL)

    assert declared(desk=desk, hidden="desk") == offers.ALWAYS


@pytest.mark.parametrize("endpoint", ["desk", GATEWAY, "nobody", ""])
def test_of_what_was_never_asked_everything_may_be_had_that_is_always_there(endpoint: str) -> None:
    assert declared(endpoint, desk=NOT_OFFERED) == offers.ALWAYS


@pytest.mark.parametrize("claim", [b"", b"null", b"[1]", b"{", b'{"io.modelcontextprotocol/ui":1}'])
def test_a_claim_that_is_none_declares_nothing(claim: bytes) -> None:
    assert declared("desk", desk=Offered("modern", {"extensions": claim})) == {}
