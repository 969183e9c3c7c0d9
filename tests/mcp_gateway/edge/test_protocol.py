"""What the gateway answers itself, and to whom a server is visible."""

import json

import pytest

from mcp_gateway.core.asking import Offered
from mcp_gateway.core.snapshot import Upstream
from mcp_gateway.edge import protocol
from mcp_gateway.services import offers
from mcp_gateway.wire import legacy, modern
from tests.support.calls import call, snapshot
from tests.support.fakes import FakeConnector, FakePolicy

STARTING = call("initialize", {})


def test_discovery_has_what_the_revision_requires() -> None:
    found = json.loads(protocol.discovered(call("server/discover", {}), 700))

    assert found["supportedVersions"] == [modern.REVISION]
    assert found["resultType"] == "complete"
    assert found["cacheScope"] == "private"
    assert isinstance(found["ttlMs"], int)
    assert found["_meta"][modern.META_SERVER]["name"] == "mcp-gateway"
    assert found["capabilities"] == offers.ALWAYS
    assert found["instructions"]


@pytest.mark.requirement("edge:versions")
@pytest.mark.parametrize("revision", legacy.REVISIONS)
def test_a_revision_that_is_known_is_agreed_on(revision: str) -> None:
    agreed, result = protocol.initialized(STARTING, revision)

    assert agreed == json.loads(result)["protocolVersion"] == revision


@pytest.mark.requirement("edge:versions")
@pytest.mark.parametrize(
    "asked", [None, "", "2026-07-28", "1999-01-01", 5, True, [], {}, ["2025-11-25"], "2025-11-25 "]
)
def test_for_any_other_the_latest_of_the_era_is_offered(asked: object) -> None:
    assert protocol.initialized(STARTING, asked)[0] == legacy.LATEST


def test_initialize_tells_no_member_of_the_later_era() -> None:
    result = json.loads(protocol.initialized(STARTING, "2025-06-18")[1])

    assert set(result) == {"protocolVersion", "capabilities", "serverInfo", "instructions"}


def test_initialize_says_of_one_server_what_it_offers_and_is_relayed() -> None:
    offered = Offered("legacy", {"tools": b"{}", "logging": b"{}", "experimental": b"{}"})
    silent, github = (
        Upstream("orders", FakeConnector()),
        Upstream("github", FakeConnector(), offered=offered),
    )
    world = snapshot(upstreams={"github": github, "orders": silent})

    said = {
        endpoint: json.loads(protocol.initialized(call(snapshot=world, endpoint=endpoint), "")[1])
        for endpoint in ("github", "orders", "")
    }

    assert set(said["github"]["capabilities"]) == {"tools", "logging"}
    assert set(said["orders"]["capabilities"]) == {*offers.ALWAYS, "logging"}
    assert said[""]["capabilities"] == said["orders"]["capabilities"]


@pytest.mark.requirement("authorize:strangers-learn-nothing")
def test_a_server_is_visible_to_who_may_list_it_and_to_nobody_else() -> None:
    policy = FakePolicy(prospects={"catalog/orders/tools/list": "deny"})
    world = snapshot(policy=policy)

    assert protocol.visible(call(snapshot=world, endpoint=""))
    assert protocol.visible(call(snapshot=world, endpoint="github"))
    assert not protocol.visible(call(snapshot=world, endpoint="orders"))
    assert not protocol.visible(call(snapshot=world, endpoint="nothing"))
