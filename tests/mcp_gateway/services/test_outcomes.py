"""What a list says of the servers that it is of."""

from collections.abc import Mapping

import pytest

from mcp_gateway.core.snapshot import Upstream
from mcp_gateway.services.outcomes import outcomes_of
from tests.support.calls import call, snapshot
from tests.support.fakes import FakeConnector, FakePolicy


def told(*away: str, endpoint: str = "", hidden: str = "") -> Mapping[str, str]:
    """Of github and orders, which serve something, and of lost, which serves nothing."""
    upstreams = {
        name: Upstream(name, FakeConnector(), trouble="gone" if name in away else "")
        for name in ("gateway", "github", "orders", "lost")
    }
    hiding = FakePolicy(prospects={f"catalog/{hidden}/tools/list": "deny"})
    world = snapshot(upstreams=upstreams, policy=hiding)
    return outcomes_of(call("tools/list", {}, snapshot=world, endpoint=endpoint))


@pytest.mark.requirement("listing:outcome-of-each-server")
def test_a_server_that_is_away_is_named_as_stale_or_absent() -> None:
    assert told() == {"github": "ok", "orders": "ok", "lost": "ok"}
    assert told("orders", "lost") == {"github": "ok", "orders": "stale", "lost": "absent"}


@pytest.mark.requirement("listing:outcome-of-each-server")
def test_nothing_is_said_of_a_server_that_the_caller_may_not_know() -> None:
    assert told("lost", hidden="lost") == {"github": "ok", "orders": "ok"}
    assert told("lost", endpoint="lost", hidden="lost") == {}


def test_at_one_server_it_is_about_that_one() -> None:
    assert told("orders", endpoint="orders") == {"orders": "stale"}
    assert told(endpoint="gateway") == told(endpoint="nobody") == {}
